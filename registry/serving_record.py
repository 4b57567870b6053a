"""Which version is served, which is tried out beside it, and which a person has taken back: `served.json`."""

from __future__ import annotations

import datetime
from collections.abc import Collection

from pydantic import BaseModel, ConfigDict, Field

STABLE = "stable"
CANARY = "canary"


class ServedSince(BaseModel):
    """A change of the served version."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: int = Field(ge=1)
    since: datetime.datetime
    rollback: bool = Field(default=False, description="A person went back to it.")


class Canary(BaseModel):
    """A version that is tried out on a part of the requests before it is served."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: int = Field(ge=1)
    percent: int = Field(ge=1, le=99, description="The part of the requests that it should get.")
    since: datetime.datetime


class ServingRecord(BaseModel):
    """The served version and how it came to be; each change makes a new record."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    served: int | None = Field(default=None, ge=1)
    history: tuple[ServedSince, ...] = Field(default=(), description="Every change, the latest last.")
    withdrawn: tuple[int, ...] = Field(
        default=(), description="Versions that a rollback left: they are served again only if a person says so."
    )
    canary: Canary | None = None

    def serve(self, version: int, now: datetime.datetime) -> ServingRecord:
        """The record once `version` is served; the same record if it is already."""
        if version == self.served:
            return self
        return ServingRecord(
            served=version,
            history=(*self.history, ServedSince(version=version, since=now)),
            withdrawn=tuple(other for other in self.withdrawn if other != version),
            canary=self._canary_beside(version),
        )

    def roll_back(self, version: int, now: datetime.datetime) -> ServingRecord:
        """The record once a person went back to `version`.

        What is left is withdrawn; but going to a version that was withdrawn itself only takes that rollback back.
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
        )

    def try_out(self, version: int, percent: int, now: datetime.datetime) -> ServingRecord:
        """The record once `version` is the canary, in place of any other; its withdrawal is taken back."""
        kept = tuple(other for other in self.withdrawn if other != version)
        return self.model_copy(
            update={"canary": Canary(version=version, percent=percent, since=now), "withdrawn": kept}
        )

    def drop_canary(self) -> ServingRecord:
        """The record once a person gave the canary up: it is withdrawn."""
        if self.canary is None:
            return self
        withdrawn = tuple(sorted({*self.withdrawn, self.canary.version}))
        return self.model_copy(update={"canary": None, "withdrawn": withdrawn})

    def labels(self) -> dict[str, int]:
        """Label → version."""
        labels = {} if self.served is None else {STABLE: self.served}
        return labels if self.canary is None else {**labels, CANARY: self.canary.version}

    def _canary_beside(self, version: int) -> Canary | None:
        """The canary once `version` is served; it is none any more if it is that version."""
        return None if self.canary is None or self.canary.version == version else self.canary

    def before(self, existing: Collection[int]) -> int | None:
        """The version among `existing` that was served last before the present one and was not withdrawn."""
        for change in reversed(self.history):
            if change.version != self.served and change.version in existing and change.version not in self.withdrawn:
                return change.version
        return None
