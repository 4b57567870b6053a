"""Live status of a run, one row per step, until it ends.

The API reports Argo's nodes, not tasks, see `nodes`: each poll requests the run and its workflow.  Pods are requested
only after a step has been starting for some time, see `holds`.
"""

from __future__ import annotations

import contextlib
import datetime
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from pipeline.kubeflow.client.api import ENDED, TERMINATED, Client, state_of
from pipeline.kubeflow.client.compiled_pipeline import Step
from pipeline.kubeflow.client.connection import UnreachableError
from pipeline.kubeflow.client.holds import (
    NOTHING,
    Holds,
    RunSnapshot,
    detailed_snapshot,
    find_holds,
    why_run_failed,
    why_task_failed,
)
from pipeline.kubeflow.client.nodes import Nodes
from pipeline.kubeflow.client.pod_conditions import Held

_SIGNS = {
    "waiting": ("·", "dim"),
    "starting": ("…", "cyan"),
    "running": ("▶", "cyan"),
    "done": ("✓", "green"),
    "cached": ("✓", "green"),
    "skipped": ("–", "dim"),
    "failed": ("✗", "red"),
}
_PATIENCE = 300.0  # Seconds without a response: a restarted port-forward or API server is back sooner.
_LOOKS = 4  # Polls before the reason is requested: some ten seconds, which a driver or a pod takes to start.
_LOOKS_BETWEEN = 3
_WHOLE = ""


class Row(NamedTuple):
    """Status of a step: its state, its seconds so far or in total, and why it waits."""

    label: str
    state: str
    seconds: float | None
    held: Held | None = None

    @property
    def shown_state(self) -> str:
        """The state, and why the step waits."""
        return self.state if self.held is None else f"{self.state}: {self.held}"

    @property
    def change(self) -> tuple[str, str]:
        """Key whose change is worth a line of output."""
        return self.state, self.held.topic if self.held is not None else ""


def duration(seconds: float) -> str:
    """Formats a duration: `64 s`, `12 min 5 s`, `3 h 4 min`."""
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def run_seconds(run: Any, now: datetime.datetime) -> float | None:
    """Returns the seconds from the creation of a run to its end, or until now."""
    return _seconds(run.created_at, run.finished_at, now)


def rows(nodes: Nodes, steps: Sequence[Step], now: datetime.datetime, holds: Holds = NOTHING) -> list[Row]:
    """Returns a row per step of a run, after one for the run itself if it waits as a whole."""
    whole = [] if holds.run is None else [Row("Run", "starting", None, holds.run)]
    return [*whole, *(_row(nodes, step, now, holds) for step in steps)]


def _row(nodes: Nodes, step: Step, now: datetime.datetime, holds: Holds) -> Row:
    state, (began, ended) = nodes.state(step.task), nodes.times(step.task)
    if state in {"waiting", "skipped"}:
        return Row(step.label, state, None)
    seconds = _seconds(began, None if state in {"starting", "running"} else ended, now)
    return Row(step.label, state, seconds, holds.tasks.get(step.task) if state == "starting" else None)


class Watched(NamedTuple):
    """A run that has ended, and its final state, see `api.state_of`."""

    run: Any
    state: str


def watch(
    client: Client, run_id: str, steps: Sequence[Step], console: Console, sleep: Callable[[float], None] = time.sleep
) -> Watched:
    """Shows a run until it has ended, and returns it.

    Raises:
        UserError: the API refuses, or does not respond for five minutes.
    """
    screen = _LiveScreen(console) if console.is_terminal else _PlainScreen(console)
    was_canceling, patience = False, _Patience(client, [step.task for step in steps])
    with screen:
        for run in _polls(client, run_id, sleep):
            look = detailed_snapshot(client, run)
            screen.show(rows(look.nodes, steps, _now(), patience.holds(look)))
            was_canceling = was_canceling or run.state == "CANCELING"
            if run.state in ENDED:
                return Watched(run, state_of(run, was_canceling))
    raise AssertionError("polls never end")


def why_failed(client: Client, watched: Watched, steps: Sequence[Step]) -> str:
    """Returns the step that failed and why, or that the run was terminated."""
    if watched.state == TERMINATED:
        return "the run was terminated"
    close = detailed_snapshot(client, watched.run)
    for step in steps:
        if close.nodes.state(step.task) == "failed":
            reason = why_task_failed(client, close, step.task)
            return f"the step {step.label!r} failed" + (f": {reason}" if reason else "")
    error = watched.run.error.message if watched.run.error is not None else None
    reason = error or why_run_failed(close)
    return f"the run ended as {watched.run.state}" + (f": {reason}" if reason else "")


class _Patience:
    """Requests why a run waits, after it or a step of it has been starting for some polls, and then at intervals."""

    def __init__(self, client: Client, tasks: Sequence[str]) -> None:
        self._client, self._tasks = client, tasks
        self._looks: dict[str, int] = {}
        self._found = NOTHING

    def holds(self, look: RunSnapshot) -> Holds:
        """Returns why the run waits, as of the last request."""
        states = {task: look.nodes.state(task) for task in self._tasks}
        starting = [task for task, state in states.items() if state == "starting"]
        idle = "running" not in states.values()
        waiting = [] if look.run.state in ENDED else starting or ([_WHOLE] if idle else [])
        self._looks = {task: self._looks.get(task, 0) + 1 for task in waiting}
        due = [looks - _LOOKS for looks in self._looks.values() if looks >= _LOOKS]
        if any(late % _LOOKS_BETWEEN == 0 for late in due):
            self._found = find_holds(self._client, look, self._tasks)
        elif not due:
            self._found = NOTHING
        return self._found


def _polls(client: Client, run_id: str, sleep: Callable[[float], None]) -> Iterator[Any]:
    """Yields the run at intervals; tolerates an outage for a while."""
    heard = time.monotonic()
    for pause in itertools.chain((0.5, 1.0, 2.0), itertools.repeat(5.0)):
        try:
            run = client.run(run_id)
        except UnreachableError:
            if time.monotonic() - heard > _PATIENCE:
                raise
        else:
            heard = time.monotonic()
            yield run
        sleep(pause)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)


def _seconds(began: datetime.datetime | None, ended: datetime.datetime | None, now: datetime.datetime) -> float | None:
    """Returns the seconds of a step; the API represents "not yet" by the beginning of 1970."""
    if began is None or began.timestamp() <= 0:
        return None
    end = ended if ended is not None and ended.timestamp() > 0 else now
    return max((end - began).total_seconds(), 0.0)


class _PlainScreen(contextlib.AbstractContextManager[Any]):
    """Prints a line whenever the state of a step changes, for logs."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown: dict[str, tuple[str, str]] = {}

    def __exit__(self, *exception: object) -> None:
        return None

    def show(self, now: Sequence[Row]) -> None:
        for row in now:
            if row.state != "waiting" and row.change != self._shown.get(row.label):
                self._console.print(_line(row), soft_wrap=True)
            self._shown[row.label] = row.change


class _LiveScreen(_PlainScreen):
    """Table that is redrawn in place."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._live = Live(console=console, auto_refresh=False)

    def __enter__(self) -> _LiveScreen:
        self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._live.stop()

    def show(self, now: Sequence[Row]) -> None:
        table = Table.grid(padding=(0, 2, 0, 0))
        for row in now:
            sign, style = _SIGNS[row.state]
            took = "" if row.seconds is None else duration(row.seconds)
            table.add_row(Text(sign, style), Text(row.label), Text(row.shown_state, "dim"), Text(took, "dim"))
        self._live.update(table, refresh=True)


def _line(row: Row) -> str:
    sign, style = _SIGNS[row.state]
    took = "" if row.seconds is None or row.state in {"starting", "running"} else f" · {duration(row.seconds)}"
    state = "" if row.state in {"done", "failed"} else f" · {escape(row.shown_state)}"
    return f"[{style}]{sign}[/] {escape(row.label)}[dim]{state}{took}[/]"
