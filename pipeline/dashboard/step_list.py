"""The steps of a run as the page lists them: with times on a common axis, and what each has read and written."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from markupsafe import Markup

from pipeline.dashboard.runs import Run, Step


@dataclass(frozen=True)
class StepRow:
    """A step with what is shown of it."""

    step: Step
    seconds: float | None
    bar: Markup
    after: tuple[tuple[str, str], ...]
    """Component and display name of the steps that it waits for."""
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    """Folders in the workspace."""


def step_rows(run: Run, now: datetime.datetime) -> list[StepRow]:
    """Returns a row for each step of a run."""
    names = {step.component: step.name for step in run.steps}
    whole = max(run.seconds(now), 1e-3)
    return [_row(step, run, names, whole, now) for step in run.steps]


def _row(step: Step, run: Run, names: Mapping[str, str], whole: float, now: datetime.datetime) -> StepRow:
    seconds = step.seconds(now)
    execution = step.execution
    start = (execution.began - run.began).total_seconds() if execution else 0.0
    return StepRow(
        step=step,
        seconds=seconds,
        bar=_bar(start / whole, (seconds or 0.0) / whole, step.state.name.lower()) if execution else Markup(""),
        after=tuple((component, names[component]) for component in step.after if component in names),
        inputs=_folders(execution.inputs.values()) if execution else (),
        outputs=_folders(execution.outputs.values()) if execution else (),
    )


def _folders(found: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(sorted(path for paths in found for path in paths))


def _bar(start: float, width: float, kind: str) -> Markup:
    """Draws when a step ran, in shares of the run's time."""
    left = min(max(start, 0.0), 1.0)
    length = min(max(width, 0.004), 1.0 - left) if left < 1.0 else 0.004
    return Markup(
        '<svg class="span" width="100%" height="8" aria-hidden="true">'
        '<rect class="track" width="100%" height="8" rx="4"/>'
        '<rect class="{}" x="{:.2f}%" width="{:.2f}%" height="8" rx="4"/></svg>'
    ).format(kind, 100 * min(left, 0.996), 100 * length)
