"""Serving record `served.json`: the served version, the canary, and withdrawn versions."""

from __future__ import annotations

import datetime
from collections.abc import Collection
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from registry.canary_policy import CanaryPolicy

STABLE = "stable"
CANARY = "canary"
MOST_DECISIONS = 20

Outcome = Literal["promoted", "rolled_back"]


class ServedSince(BaseModel):
    """Change of the served version."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: int = Field(ge=1)
    since: datetime.datetime
    rollback: bool = Field(default=False, description="Whether it was a rollback.")


class Canary(BaseModel):
    """Version that gets a part of the requests before it is promoted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: int = Field(ge=1)
    percent: int = Field(ge=1, le=99, description="Percentage of the requests that it should get.")
    since: datetime.datetime
    policy: CanaryPolicy | None = Field(
        default=None, description="How it is decided automatically; null: a person decides."
    )

    @model_serializer(mode="wrap")
    def _without_absent_policy(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leaves an absent policy out, so that earlier releases can read the record of a canary of a person."""
        written: dict[str, Any] = write(self)
        return written if self.policy else {name: value for name, value in written.items() if name != "policy"}


class CanaryDecision(BaseModel):
    """Automatic decision about a canary."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: int = Field(ge=1)
    stable: int = Field(ge=1, description="The version that it was compared with.")
    outcome: Outcome
    reason: str
    images: int = Field(ge=0, description="Number of compared images.")
    began: datetime.datetime
    decided: datetime.datetime
    notified: bool = Field(default=False, description="Whether the webhook was told.")

    def describe(self) -> str:
        """Returns the decision in one sentence."""
        done = "promoted" if self.outcome == "promoted" else "rolled back"
        return f"version {self.version} was {done} automatically: {self.reason}"


class ServingRecord(BaseModel):
    """Served version and its history; each change makes a new record."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    served: int | None = Field(default=None, ge=1)
    history: tuple[ServedSince, ...] = Field(default=(), description="All changes, the latest last.")
    withdrawn: tuple[int, ...] = Field(
        default=(),
        description="Versions that were rolled back or aborted; they are served again only on a person's request.",
    )
    canary: Canary | None = None
    decisions: tuple[CanaryDecision, ...] = Field(
        default=(), description=f"The last {MOST_DECISIONS} automatic decisions about canaries, the latest last."
    )

    @model_serializer(mode="wrap")
    def _without_absent_decisions(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leaves an empty list of decisions out, so that earlier releases can read the record."""
        written: dict[str, Any] = write(self)
        return written if self.decisions else {name: value for name, value in written.items() if name != "decisions"}

    def serve(self, version: int, now: datetime.datetime) -> ServingRecord:
        """Returns the record after serving `version`; the same record if it is served already."""
        if version == self.served:
            return self
        return ServingRecord(
            served=version,
            history=(*self.history, ServedSince(version=version, since=now)),
            withdrawn=tuple(other for other in self.withdrawn if other != version),
            canary=self._canary_beside(version),
            decisions=self.decisions,
        )

    def roll_back(self, version: int, now: datetime.datetime) -> ServingRecord:
        """Returns the record after a rollback to `version`.

        The version that was served is withdrawn; but a rollback to a withdrawn version only reverts the earlier
        rollback.
        """
        if version == self.served:
            return self
        withdrawn = set(self.withdrawn) - {version}
        if version not in self.withdrawn and self.served is not None:
            withdrawn.add(self.served)
        return ServingRecord(
            served=version,
            history=(*self.history, ServedSince(version=version, since=now, rollback=True)),
            withdrawn=tuple(sorted(withdrawn)),
            canary=self._canary_beside(version),
            decisions=self.decisions,
        )

    def start_canary(
        self, version: int, percent: int, now: datetime.datetime, policy: CanaryPolicy | None = None
    ) -> ServingRecord:
        """Returns the record with `version` as canary, in place of any other; it is no longer withdrawn."""
        kept = tuple(other for other in self.withdrawn if other != version)
        canary = Canary(version=version, percent=percent, since=now, policy=policy)
        return self.model_copy(update={"canary": canary, "withdrawn": kept})

    def abort_canary(self) -> ServingRecord:
        """Returns the record without the canary, which is withdrawn."""
        if self.canary is None:
            return self
        withdrawn = tuple(sorted({*self.withdrawn, self.canary.version}))
        return self.model_copy(update={"canary": None, "withdrawn": withdrawn})

    def decide(self, decision: CanaryDecision) -> ServingRecord:
        """Returns the record after an automatic decision: it changes the labels, and holds the reason."""
        if decision.outcome == "promoted":
            changed = self.serve(decision.version, decision.decided)
        else:
            changed = self.abort_canary()
        return changed.model_copy(update={"decisions": (*self.decisions, decision)[-MOST_DECISIONS:]})

    def notified(self, decision: CanaryDecision) -> ServingRecord:
        """Returns the record in which the webhook was told of `decision`."""
        told = decision.model_copy(update={"notified": True})
        changed = tuple(told if other == decision else other for other in self.decisions)
        return self.model_copy(update={"decisions": changed})

    def labels(self) -> dict[str, int]:
        """Label → version."""
        labels = {} if self.served is None else {STABLE: self.served}
        return labels if self.canary is None else {**labels, CANARY: self.canary.version}

    def _canary_beside(self, version: int) -> Canary | None:
        """Returns the canary after serving `version`; None if it is that version."""
        return None if self.canary is None or self.canary.version == version else self.canary

    def before(self, existing: Collection[int]) -> int | None:
        """Returns the last version among `existing` that was served before the current one and is not withdrawn."""
        for change in reversed(self.history):
            if change.version != self.served and change.version in existing and change.version not in self.withdrawn:
                return change.version
        return None
