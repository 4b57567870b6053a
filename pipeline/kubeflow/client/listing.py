"""Table of runs, and the reasons why unfinished runs wait."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from pipeline.kubeflow.client.api import ENDED, Client, state_of
from pipeline.kubeflow.client.holds import detailed_snapshot, find_holds
from pipeline.kubeflow.client.watching import duration, run_seconds
from pipeline.kubeflow.names import GROUPS, task_label

_JUST_BEGUN = 30.0  # Seconds.
_STYLES = {"SUCCEEDED": "green", "FAILED": "red", "RUNNING": "cyan", "TERMINATED": "yellow", "CANCELING": "yellow"}


def runs_table(runs: Sequence[Any], address: Callable[[str], str]) -> Table:
    """Returns a table of start (local time), state, duration, parameters and address.

    Parameters are those that were set; all others have the pipeline's defaults.
    """
    now = datetime.datetime.now(datetime.timezone.utc)
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in ("started", "state", "took", "parameters", "page"):
        table.add_column(heading, no_wrap=True, overflow="ignore", justify="right" if heading == "took" else "left")
    for run in runs:
        seconds, state = run_seconds(run, now), state_of(run)
        table.add_row(
            f"{run.created_at.astimezone():%Y-%m-%d %H:%M}" if run.created_at else "",
            Text(state.lower(), _STYLES.get(state, "")),
            "" if seconds is None else duration(seconds),
            Text(_parameters(run)),
            address(run.run_id),
        )
    return table


def held_lines(client: Client, runs: Sequence[Any]) -> Iterator[str]:
    """Yields a line for each run or step that waits for something.

    Only unfinished runs are examined, except those that have only just started.
    """
    now = datetime.datetime.now(datetime.timezone.utc)
    for run in runs:
        if run.state in ENDED or (run_seconds(run, now) or 0.0) < _JUST_BEGUN:
            continue
        close = detailed_snapshot(client, run)
        holds = find_holds(client, close, [task for task in close.nodes.tasks if task not in GROUPS])
        whole = {"Run": holds.run} if holds.run is not None else {}
        named = {task_label(task): reason for task, reason in holds.tasks.items()}
        for name, reason in {**whole, **named}.items():
            yield f"… {name} · starting: {reason}; {client.run_address(run.run_id)}"


def _parameters(run: Any) -> str:
    given = (run.runtime_config.parameters if run.runtime_config is not None else None) or {}
    return " ".join(f"{name}={value}" for name, value in sorted(given.items()))
