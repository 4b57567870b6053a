"""One schedule a pipeline: made, replaced, paused.

The API can neither change a recurring run nor swap two, and names are not unique there, so a changed schedule is a new
one in place of the old one:

1. the new one is created, disabled (the old one goes on);
2. the old one is disabled;
3. the new one is enabled;
4. the old one is deleted; its run at work goes on (`Client.delete_schedule`).

So there are never two that start runs, and no tick of the clock is lost: the controller counts from the creation of a
schedule (`scheduledworkflow/util/cron_schedule.go`, `getEffectiveLastJobTime`), so a tick between 1 and 3 is made up
for when the new one is enabled; one that falls between 1 and 2, three requests in a row, may be served by both.  An
error at 3 enables the old one again.  A crash leaves

- after 1: the old one at work and the new one disabled;
- after 2: both disabled, the new one's description telling whether it was meant to run;
- after 3: the new one at work and the old one disabled,

which the next call tells from each other and mends.  A schedule that is alone and disabled was paused by a person, and
stays so.  Of two calls at the same time the one that created the older schedule gives way.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from common.errors import UserError
from pipeline.kubeflow.client.api import Client, Work, age
from pipeline.kubeflow.client.connection import ApiError

_MARK = re.compile(r"\[(?P<digest>[0-9a-f]{16})(?P<paused> paused)?\]$")
_DIGITS = 16


class Wanted(NamedTuple):
    """A schedule as the configuration has it."""

    name: str
    cron: str
    work: Work

    @property
    def digest(self) -> str:
        """A digest of all that makes two schedules differ."""
        work = self.work
        parts = [self.cron, work.experiment_id, work.version.pipeline_id, work.version.version_id]
        parts += [json.dumps(work.parameters, sort_keys=True), work.pipeline_root, work.service_account]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:_DIGITS]

    def description(self, paused: bool) -> str:
        """What a person reads in the dashboard, and at its end the mark that a later call reads."""
        mark = f"[{self.digest}{' paused' if paused else ''}]"
        return f"version {self.work.version.name} at {self.cron!r}, kept by segpipe {mark}"


class Outcome(NamedTuple):
    """What came of it: the schedule, whether it was made now and how many it replaced, and whether it is paused."""

    schedule_id: str
    is_new: bool
    replaced: int
    paused: bool
    left_running: tuple[str, ...]


def keep_schedule(client: Client, wanted: Wanted) -> Outcome:
    """Sees to it that exactly the wanted schedule is there.

    Raises:
        UserError: the API refuses, or another call is at work on the same schedule.
    """
    present = client.schedules(wanted.name, wanted.work.version.pipeline_id)
    kept = _as_wanted(present, wanted.digest)
    if kept is not None:
        others = [schedule for schedule in present if schedule is not kept]
        running = _retire(client, others)
        return Outcome(kept.recurring_run_id, False, len(others), not _enabled(kept), running)
    return _replace(client, wanted, paused=_was_paused(present), is_first=not present)


def pause(client: Client, name: str, pipeline_id: str | None) -> bool:
    """Keeps the schedule from starting runs; returns whether it did before.

    Raises:
        UserError: there is no schedule.
    """
    present = _present(client, name, pipeline_id)
    enabled = [schedule for schedule in present if _enabled(schedule)]
    for schedule in enabled:
        client.disable_schedule(schedule.recurring_run_id)
    # One that is alone and disabled is what a pause looks like; what a crash left goes.
    _retire(client, [schedule for schedule in present if schedule is not _chosen(present)])
    return bool(enabled)


def resume(client: Client, name: str, pipeline_id: str | None) -> bool:
    """Lets the schedule start runs again; returns whether it was paused.

    Raises:
        UserError: there is no schedule.
    """
    present = _present(client, name, pipeline_id)
    chosen = _chosen(present)
    _retire(client, [schedule for schedule in present if schedule is not chosen])
    if _enabled(chosen):
        return False
    client.enable_schedule(chosen.recurring_run_id)
    return True


def _present(client: Client, name: str, pipeline_id: str | None) -> list[Any]:
    present = client.schedules(name, pipeline_id) if pipeline_id else []
    if not present:
        raise UserError(f"{name} has no schedule; create one with `segpipe schedule CONFIG`")
    return present


def _enabled(schedule: Any) -> bool:
    return bool(schedule.status == "ENABLED")


def _chosen(present: Sequence[Any]) -> Any:
    """The one that is at work, else the newest."""
    return next(filter(_enabled, present), present[0])


def _as_wanted(present: Sequence[Any], digest: str) -> Any | None:
    """The one that may stay; one that is disabled beside others is what a crash left, whose clock began too early."""
    for schedule in present:
        mark = _MARK.search(schedule.description or "")
        if mark and mark["digest"] == digest and (_enabled(schedule) or len(present) == 1):
            return schedule
    return None


def _was_paused(present: Sequence[Any]) -> bool:
    """Whether a person paused it: alone and disabled, or the newest was made so."""
    if not present or any(map(_enabled, present)):
        return False
    mark = _MARK.search(present[0].description or "")
    return len(present) == 1 or bool(mark and mark["paused"])


def _replace(client: Client, wanted: Wanted, paused: bool, is_first: bool) -> Outcome:
    description = wanted.description(paused)
    new = client.create_schedule(wanted.name, wanted.cron, wanted.work, description, enabled=is_first)
    others = _others(client, wanted, new)
    with _old_ones_on_failure(client, new, [schedule for schedule in others if _enabled(schedule)]):
        _disable(client, others)
        if not paused and not is_first:
            client.enable_schedule(new.recurring_run_id)
    running = _retire(client, others)
    return Outcome(new.recurring_run_id, True, len(others), paused, running)


def _others(client: Client, wanted: Wanted, new: Any) -> list[Any]:
    """The schedules besides `new`, if it is the newest.

    Raises:
        UserError: it is not, for another call is at work; `new` is deleted again.
    """
    present = client.schedules(wanted.name, wanted.work.version.pipeline_id)
    others = [schedule for schedule in present if schedule.recurring_run_id != new.recurring_run_id]
    if any(age(schedule) > age(new) for schedule in others):
        client.delete_schedule(new.recurring_run_id)
        raise UserError(f"another call is changing the schedule of {wanted.name}; check it and try again")
    return others


@contextlib.contextmanager
def _old_ones_on_failure(client: Client, new: Any, old: Sequence[Any]) -> Iterator[None]:
    """Enables `old` again if what follows fails, once `new` is surely disabled: better those than none."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(ApiError):
            client.disable_schedule(new.recurring_run_id)
            for schedule in old:
                client.enable_schedule(schedule.recurring_run_id)
        raise


def _disable(client: Client, schedules: Sequence[Any]) -> None:
    for schedule in schedules:
        if _enabled(schedule):
            client.disable_schedule(schedule.recurring_run_id)


def _retire(client: Client, schedules: Sequence[Any]) -> tuple[str, ...]:
    """Disables and deletes schedules, and returns their runs that go on."""
    _disable(client, schedules)
    running = [run.run_id for schedule in schedules for run in client.active_runs_of(schedule.recurring_run_id)]
    for schedule in schedules:
        client.delete_schedule(schedule.recurring_run_id)
    return tuple(running)
