"""Runs that drift has started: `retraining/<n>.json` in the registry.

A record is created exclusively before its run is started, so that of several monitors one starts a run, and its time
keeps the others from starting the next one too soon.
"""

from __future__ import annotations

import datetime
import re

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from registry.errors import CorruptRecordError
from registry.storage import Storage

RETRAINING = "retraining"
_NAME = re.compile(r"([1-9][0-9]*)\.json")


class Retraining(BaseModel):
    """Request for a run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: int = Field(ge=1)
    requested: datetime.datetime
    version: int = Field(description="The version whose answers drifted.")
    reason: str
    run: str | None = Field(default=None, description="The run that was started; null before.")
    error: str | None = Field(default=None, description="Why it could not be started.")


def latest_retraining(storage: Storage) -> Retraining | None:
    """Returns the latest request; `None` if there was none.

    Raises:
        CorruptRecordError: its record cannot be read.
    """
    matches = (_NAME.fullmatch(name) for name in storage.names(RETRAINING))
    number = max((int(match.group(1)) for match in matches if match), default=None)
    if number is None:
        return None
    try:
        return Retraining.model_validate_json(storage.read(_path(number)))
    except ValidationError as error:
        raise CorruptRecordError(
            f"{storage.location(_path(number))} cannot be read; remove it, and drift may start the next run at once"
        ) from error


def request_retraining(
    storage: Storage, version: int, reason: str, now: datetime.datetime, least_time: datetime.timedelta
) -> Retraining | None:
    """Records a request; `None`, without a change, if one was made less than `least_time` ago, or is made just now.

    A request whose run could not be started does not count.
    """
    with storage.writer(RETRAINING) as writer:
        before = latest_retraining(storage)
        if before and not before.error and now - before.requested < least_time:
            return None
        number = before.number + 1 if before else 1
        wanted = Retraining(number=number, requested=now, version=version, reason=reason)
        return wanted if writer.create(_path(number), wanted.model_dump_json(indent=2).encode()) else None


def record_start(storage: Storage, retraining: Retraining) -> None:
    """Records the run that was started, or why it could not be."""
    with storage.writer(RETRAINING) as writer:
        writer.write(_path(retraining.number), retraining.model_dump_json(indent=2).encode())


def _path(number: int) -> str:
    return f"{RETRAINING}/{number}.json"
