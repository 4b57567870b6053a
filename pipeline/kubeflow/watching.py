"""A run as it goes: a row a step, until it ends.

The API tells of Argo's nodes, not of tasks (`backend/src/common/util/workflow.go`, `NodeStatuses`): for a task `train`
there are `train-driver`, which decides on caching and conditions, `train`, and below that the pod, `executor`, or
`executor(0)`, `executor(1)` … where it was tried again (`argocompiler/container.go`).  Why a pod failed is in its log
alone.
"""

from __future__ import annotations

import contextlib
import datetime
import itertools
import re
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from pipeline.kubeflow.client import ENDED, TERMINATED, Client, state_of
from pipeline.kubeflow.compiled import Step
from pipeline.kubeflow.connection import UnreachableError

_SIGNS = {
    "waiting": ("·", "dim"),
    "starting": ("…", "cyan"),
    "running": ("▶", "cyan"),
    "done": ("✓", "green"),
    "cached": ("✓", "green"),
    "skipped": ("–", "dim"),
    "failed": ("✗", "red"),
}
_PATIENCE = 300.0  # Seconds without an answer: a port-forward or an API server that starts again comes back sooner.
_KLOG = re.compile(r"[IWEF]\d{4} \d\d:\d\d:\d\d")
_LONGEST_REASON = 500


class Row(NamedTuple):
    """A step at a moment; seconds since it began, or that it took."""

    label: str
    state: str
    seconds: float | None


def duration(seconds: float) -> str:
    """`64 s`, `12 min 5 s`, `3 h 4 min`."""
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def run_seconds(run: Any, now: datetime.datetime) -> float | None:
    """From the creation of a run to its end, or to now."""
    return _seconds(run.created_at, run.finished_at, now)


def rows(run: Any, steps: Sequence[Step], now: datetime.datetime) -> list[Row]:
    """The steps of a run as they are."""
    nodes = _Nodes(run)
    return [Row(step.label, nodes.state(step.task), nodes.seconds(step.task, now)) for step in steps]


class Watched(NamedTuple):
    """A run that has ended, and how: see `client.state_of`."""

    run: Any
    state: str


def watch(
    client: Client, run_id: str, steps: Sequence[Step], console: Console, sleep: Callable[[float], None] = time.sleep
) -> Watched:
    """Shows a run until it has ended, and returns it.

    Raises:
        UserError: the API refuses, or does not answer for five minutes.
    """
    screen = _LiveScreen(console) if console.is_terminal else _PlainScreen(console)
    was_canceling = False
    with screen:
        for run in _polls(client, run_id, sleep):
            screen.show(rows(run, steps, _now()))
            was_canceling = was_canceling or run.state == "CANCELING"
            if run.state in ENDED:
                return Watched(run, state_of(run, was_canceling))
    raise AssertionError("polls go on for ever")


def why_failed(client: Client, watched: Watched, steps: Sequence[Step]) -> str:
    """The step that failed, and the last thing it said; of a run that was terminated, that."""
    run = watched.run
    if watched.state == TERMINATED:
        return "the run was terminated"
    nodes = _Nodes(run)
    for step in steps:
        if nodes.state(step.task) == "failed":
            reason = nodes.error(step.task) or _last_words(client.pod_log(run.run_id, nodes.failed_pod(step.task)))
            return f"the step {step.label!r} failed" + (f": {reason}" if reason else "")
    error = run.error.message if run.error is not None else None
    return f"the run ended as {run.state}" + (f": {error}" if error else "")


class _Nodes:
    """The nodes of a run, by name."""

    def __init__(self, run: Any) -> None:
        details = (run.run_details.task_details if run.run_details is not None else None) or []
        self._by_name = {detail.display_name: detail for detail in details}
        self._by_id = {_node_id(detail.pod_name): detail for detail in details}

    def state(self, task: str) -> str:
        driver, node = self._by_name.get(f"{task}-driver"), self._by_name.get(task)
        pods = list(self._pods(node))
        if any(self._in(detail, "FAILED") for detail in (driver, node)):
            return "failed"
        if self._in(node, "SUCCEEDED"):
            return "cached" if pods and all(self._in(pod, "SKIPPED") for pod in pods) else "done"
        if self._in(node, "SKIPPED"):
            return "skipped"
        if self._in(node, "RUNNING") and any(self._in(pod, "RUNNING", "FAILED") for pod in pods):
            return "running"
        # The API has no word, and so no state, for Argo's "omitted": a step that comes after one that failed.
        started = driver if node is None else node
        return "starting" if self._in(started, "PENDING", "RUNNING", "SUCCEEDED") else "waiting"

    def seconds(self, task: str, now: datetime.datetime) -> float | None:
        found = [self._by_name[name] for name in (f"{task}-driver", task) if name in self._by_name]
        state = self.state(task)
        if not found or state in {"waiting", "skipped"}:
            return None
        ended = None if state in {"starting", "running"} else found[-1].end_time
        return _seconds(found[0].start_time, ended, now)

    def error(self, task: str) -> str | None:
        """What the API itself says; it does not always."""
        details = (self._by_name.get(task), self._by_name.get(f"{task}-driver"))
        said = (detail.error.message for detail in details if detail is not None and detail.error is not None)
        return next((text for text in said if text), None)

    def failed_pod(self, task: str) -> str:
        """The pod of the last attempt, or the driver's."""
        node = self._by_name.get(task)
        failed = [pod for pod in self._pods(node) if self._in(pod, "FAILED")]
        if failed:
            return str(max(failed, key=lambda pod: (_attempt(pod.display_name), pod.display_name)).pod_name)
        driver = self._by_name.get(f"{task}-driver")
        alone = driver if driver is not None and driver.state == "FAILED" else node
        return str(alone.pod_name) if alone is not None else ""

    def _pods(self, node: Any) -> Iterator[Any]:
        """The executors below a task's node; below these are the steps that follow."""
        for child in (node.child_tasks if node is not None else None) or []:
            detail = self._by_id.get(_node_id(child.pod_name))
            if detail is not None and detail.display_name.startswith("executor"):
                yield detail
                yield from self._pods(detail)

    @staticmethod
    def _in(detail: Any, *states: str) -> bool:
        return detail is not None and detail.state in states


def _node_id(pod_name: str | None) -> str:
    """What a node's id and its pod's name have in common: the hash at the end (workflow.go, RetrievePodName)."""
    return (pod_name or "").rpartition("-")[2]


def _attempt(display_name: str) -> int:
    number = re.search(r"\((\d+)\)$", display_name)
    return int(number[1]) if number else -1


def _last_words(log: str | None) -> str:
    """The last line that begins with `error:`, or else the last line that is not the launcher's."""
    lines = [line.strip() for line in (log or "").splitlines()]
    own = [line for line in lines if line and not _KLOG.match(line)]
    said = [line for line in own if line.startswith("error:")] or own
    return said[-1].removeprefix("error:").strip()[:_LONGEST_REASON] if said else ""


def _polls(client: Client, run_id: str, sleep: Callable[[float], None]) -> Iterator[Any]:
    """The run, again and again; an outage is borne with for a while."""
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
    """The API writes "not yet" as the beginning of 1970."""
    if began is None or began.timestamp() <= 0:
        return None
    end = ended if ended is not None and ended.timestamp() > 0 else now
    return max((end - began).total_seconds(), 0.0)


class _PlainScreen(contextlib.AbstractContextManager[Any]):
    """A line whenever the state of a step changes, for logs."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._states: dict[str, str] = {}

    def __exit__(self, *exception: object) -> None:
        return None

    def show(self, now: Sequence[Row]) -> None:
        for row in now:
            if row.state not in {"waiting", self._states.get(row.label)}:
                self._console.print(_line(row), soft_wrap=True)
            self._states[row.label] = row.state


class _LiveScreen(_PlainScreen):
    """A table that is drawn anew."""

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
            table.add_row(Text(sign, style), Text(row.label), Text(row.state, "dim"), Text(took, "dim"))
        self._live.update(table, refresh=True)


def _line(row: Row) -> str:
    sign, style = _SIGNS[row.state]
    took = "" if row.seconds is None or row.state in {"starting", "running"} else f" · {duration(row.seconds)}"
    state = "" if row.state in {"done", "failed"} else f" · {row.state}"
    return f"[{style}]{sign}[/] {escape(row.label)}[dim]{state}{took}[/]"
