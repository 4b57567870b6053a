"""Which version is served, which were before, and which a person has taken back: `served.json`."""

from __future__ import annotations

import datetime
from collections.abc import Collection

from pydantic import BaseModel, ConfigDict, Field


class ServedSince(BaseModel):
    """A change of the served version."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: int = Field(ge=1)
    since: datetime.datetime
    rollback: bool = Field(default=False, description="A person went back to it.")


class ServingRecord(BaseModel):
    """The served version and how it came to be; each change makes a new record."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    served: int | None = Field(default=None, ge=1)
    history: tuple[ServedSince, ...] = Field(default=(), description="Every change, the latest last.")
    withdrawn: tuple[int, ...] = Field(
        default=(), description="Versions that a rollback left: they are served again only if a person says so."
    )

    def serve(self, version: int, now: datetime.datetime) -> ServingRecord:
        """The record once `version` is served; the same record if it is already."""
        if version == self.served:
            return self
        return ServingRecord(
            served=version,
            history=(*self.history, ServedSince(version=version, since=now)),
            withdrawn=tuple(other for other in self.withdrawn if other != version),
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
        )

    def before(self, existing: Collection[int]) -> int | None:
        """The version among `existing` that was served last before the present one and was not withdrawn."""
        for change in reversed(self.history):
            if change.version != self.served and change.version in existing and change.version not in self.withdrawn:
                return change.version
        return None
