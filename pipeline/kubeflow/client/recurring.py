"""Reconciles the one schedule (recurring run) of each pipeline: creates, replaces, pauses and resumes it.

The API cannot change a recurring run or swap two, and names are not unique, so a changed schedule is replaced by a new
one:

1. the new one is created, disabled (the old one goes on);
2. the old one is disabled;
3. the new one is enabled;
4. the old one is deleted; its run in progress continues (`Client.delete_schedule`).

So there are never two that start runs, and no tick of the clock is lost: the controller counts from the creation of a
schedule (`scheduledworkflow/util/cron_schedule.go`, `getEffectiveLastJobTime`), so a tick between 1 and 3 is made up
for when the new one is enabled; one that falls between 1 and 2, three requests in a row, may be served by both.  If
step 3 fails, the old one is enabled again.  A crash leaves

- after 1: the old one enabled and the new one disabled;
- after 2: both disabled, the new one's description telling whether it was meant to run;
- after 3: the new one enabled and the old one disabled.

The next call distinguishes these states and repairs them.  A single disabled schedule was paused by a person, and stays
paused.  Of two concurrent calls, the one that created the older schedule fails.
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
    """Schedule that the configuration describes."""

    name: str
    cron: str
    work: Work

    @property
    def digest(self) -> str:
        """Digest of everything that two schedules may differ in."""
        work = self.work
        parts = [self.cron, work.experiment_id, work.version.pipeline_id, work.version.version_id]
        parts += [json.dumps(work.parameters, sort_keys=True), work.pipeline_root, work.service_account]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:_DIGITS]

    def description(self, paused: bool) -> str:
        """Returns the description in the dashboard, which ends with a mark that later calls parse."""
        mark = f"[{self.digest}{' paused' if paused else ''}]"
        return f"version {self.work.version.name} at {self.cron!r}, kept by segpipe {mark}"


class Outcome(NamedTuple):
    """Result of reconciling: the schedule, whether it is new, how many it replaced, and whether it is paused."""

    schedule_id: str
    is_new: bool
    replaced: int
    paused: bool
    left_running: tuple[str, ...]


def reconcile_schedule(client: Client, wanted: Wanted) -> Outcome:
    """Reconciles the pipeline's schedules so that exactly the wanted one exists.

    Raises:
        UserError: the API refuses, or another call is changing the same schedule.
    """
    present = client.schedules(wanted.name, wanted.work.version.pipeline_id)
    kept = _as_wanted(present, wanted.digest)
    if kept is not None:
        others = [schedule for schedule in present if schedule is not kept]
        running = _retire(client, others)
        return Outcome(kept.recurring_run_id, False, len(others), not _enabled(kept), running)
    return _replace(client, wanted, paused=_was_paused(present), is_first=not present)


def pause(client: Client, name: str, pipeline_id: str | None) -> bool:
    """Pauses the schedule; returns whether it was enabled before.

    Raises:
        UserError: the pipeline has no schedule.
    """
    present = _present(client, name, pipeline_id)
    enabled = [schedule for schedule in present if _enabled(schedule)]
    for schedule in enabled:
        client.disable_schedule(schedule.recurring_run_id)
    # A single disabled schedule means paused; others, left by a crash, are deleted.
    _retire(client, [schedule for schedule in present if schedule is not _chosen(present)])
    return bool(enabled)


def resume(client: Client, name: str, pipeline_id: str | None) -> bool:
    """Resumes the schedule; returns whether it was paused.

    Raises:
        UserError: the pipeline has no schedule.
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
    """Returns the enabled schedule, or else the newest."""
    return next(filter(_enabled, present), present[0])


def _as_wanted(present: Sequence[Any], digest: str) -> Any | None:
    """Returns the schedule that may stay; a disabled one among several was left by a crash, and started too early."""
    for schedule in present:
        mark = _MARK.search(schedule.description or "")
        if mark and mark["digest"] == digest and (_enabled(schedule) or len(present) == 1):
            return schedule
    return None


def _was_paused(present: Sequence[Any]) -> bool:
    """Whether a person paused it: it is single and disabled, or the newest was created as paused."""
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
    """Returns the schedules besides `new`, if it is the newest.

    Raises:
        UserError: it is not the newest, because another call is running; `new` is deleted again.
    """
    present = client.schedules(wanted.name, wanted.work.version.pipeline_id)
    others = [schedule for schedule in present if schedule.recurring_run_id != new.recurring_run_id]
    if any(age(schedule) > age(new) for schedule in others):
        client.delete_schedule(new.recurring_run_id)
        raise UserError(f"another call is changing the schedule of {wanted.name}; check it and try again")
    return others


@contextlib.contextmanager
def _old_ones_on_failure(client: Client, new: Any, old: Sequence[Any]) -> Iterator[None]:
    """Enables `old` again if the block fails, after `new` was disabled: the old schedule is better than none."""
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
    """Disables and deletes schedules; returns their runs that continue."""
    _disable(client, schedules)
    running = [run.run_id for schedule in schedules for run in client.active_runs_of(schedule.recurring_run_id)]
    for schedule in schedules:
        client.delete_schedule(schedule.recurring_run_id)
    return tuple(running)
