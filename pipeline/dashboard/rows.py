"""What the list of runs and the registry's table show of each run and version."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from components.evaluator.results import Estimate
from components.report import tables
from pipeline.dashboard.runs import Run, State, Status
from pipeline.dashboard.trend import Point
from pipeline.dashboard.versions import Contents, Version, makers

MEAN_IOU = "mean_iou"


@dataclass(frozen=True)
class RunRow:
    """A line of the list of runs."""

    run: Run
    seconds: float
    mean_iou: Estimate | None
    change: float | None
    """Of the mean IoU, against the version that was served when the run began, on the same test images."""
    baseline: int | None
    pairs: int | None
    pairs_change: int | None
    """Against the run before."""
    quarantined: int
    version: int | None
    is_new_version: bool
    pushed: Version | None
    """That version in the registry, with what became of it."""
    steps_done: int
    """Of a run in progress."""


def run_rows(runs: Sequence[Run], contents: Contents | None, now: datetime.datetime) -> list[RunRow]:
    """Returns a row for each of `runs`, which are all runs of a workspace, newest first."""
    return [_row(run, _before(runs, place), contents, now) for place, run in enumerate(runs)]


def _row(run: Run, before: Run | None, contents: Contents | None, now: datetime.datetime) -> RunRow:
    results = run.results
    evaluation, push = results.evaluation, results.push
    pairs, pairs_before = used_pairs(run), used_pairs(before)
    version = push.version if push else None
    return RunRow(
        run=run,
        seconds=run.seconds(now),
        mean_iou=evaluation.candidate.overall.mean_iou if evaluation else None,
        change=mean_iou_change(run),
        baseline=evaluation.verdict.baseline_version if evaluation else None,
        pairs=pairs,
        pairs_change=None if pairs is None or pairs_before is None else pairs - pairs_before,
        quarantined=sum(results.ingestion.quarantined.values()) if results.ingestion else 0,
        version=version,
        is_new_version=bool(push and push.pushed),
        pushed=next((each for each in contents.versions if each.number == version), None) if contents else None,
        steps_done=sum(step.state in (State.DONE, State.CACHED) for step in run.steps),
    )


def _before(runs: Sequence[Run], place: int) -> Run | None:
    """Returns the run before the one at `place` that has ingested data."""
    return next((run for run in runs[place + 1 :] if run.results.ingestion), None)


def used_pairs(run: Run | None) -> int | None:
    """Returns the pairs that a run uses, in all splits."""
    return sum(run.results.ingestion.used.values()) if run and run.results.ingestion else None


def mean_iou_change(run: Run) -> float | None:
    """Returns the mean IoU of a run's model less that of its baseline, on the same images."""
    evaluation = run.results.evaluation
    if evaluation is None or evaluation.baseline is None:
        return None
    return tables.difference(evaluation.candidate.overall.mean_iou, evaluation.baseline.overall.mean_iou)


@dataclass(frozen=True)
class VersionRow:
    """A line of the registry's table."""

    version: Version
    run: Run | None
    """The run that made it."""
    value: float | None
    """Of the chosen metric."""
    interval: Estimate | None
    change: float | None
    may_be_served: bool
    may_be_canary: bool


def version_rows(contents: Contents, runs: Sequence[Run], metric: str) -> list[VersionRow]:
    """Returns a row for each version, newest first."""
    made = makers(runs)
    return [_version_row(version, contents, made.get(version.number), metric) for version in contents.versions]


def _version_row(version: Version, contents: Contents, run: Run | None, metric: str) -> VersionRow:
    is_other = contents.served is not None and not version.served and version.canary is None
    ever_served = any(change.version == version.number for change in contents.history)
    return VersionRow(
        version=version,
        run=run,
        value=version.manifest.metrics.get(metric),
        interval=_interval(run, metric),
        change=mean_iou_change(run) if run and metric == MEAN_IOU else None,
        may_be_served=is_other and ever_served,
        may_be_canary=is_other,
    )


def _interval(run: Run | None, metric: str) -> Estimate | None:
    if run is None or run.results.evaluation is None:
        return None
    try:
        return run.results.evaluation.candidate.overall.metric(metric)
    except KeyError:
        return None


def trend_points(rows: Sequence[VersionRow]) -> list[Point]:
    """Returns the chosen metric of the versions, oldest first."""
    return [
        Point(
            label=f"v{row.version.number}",
            value=row.value,
            low=row.interval.low if row.interval else None,
            high=row.interval.high if row.interval else None,
            kind="served" if row.version.served else "withdrawn" if row.version.withdrawn else "",
        )
        for row in reversed(rows)
        if row.value is not None
    ]


@dataclass(frozen=True)
class Standing:
    """How a workspace stands: its served model, whether that got better, and its data."""

    served: VersionRow | None
    canary: VersionRow | None
    newest: RunRow | None
    """The newest run."""
    measured: RunRow | None
    """The newest run with an evaluation."""
    data: RunRow | None
    """The newest run that has ingested data."""
    values: tuple[float, ...]
    """Mean IoU of the versions, oldest first."""

    @property
    def is_running(self) -> bool:
        """Whether a run is in progress."""
        return self.newest is not None and self.newest.run.status is Status.RUNNING


def standing(runs: Sequence[RunRow], versions: Sequence[VersionRow]) -> Standing:
    """Sums up the rows of a workspace."""
    return Standing(
        served=next((row for row in versions if row.version.served), None),
        canary=next((row for row in versions if row.version.canary), None),
        newest=next(iter(runs), None),
        measured=next((row for row in runs if row.mean_iou is not None), None),
        data=next((row for row in runs if row.pairs is not None), None),
        values=tuple(point.value for point in trend_points(versions)),
    )
