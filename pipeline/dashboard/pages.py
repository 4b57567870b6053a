"""Renders the dashboard's pages from snapshots.  Every text is untrusted and escaped."""

from __future__ import annotations

import functools
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2

from common.page_templates import page_templates
from components import component_keys as keys
from components.evaluator import wording
from components.evaluator.results import Evaluation
from components.report import formats, tables
from components.report.training_curves import training_curves
from pipeline import __version__
from pipeline.dag.steps import TRAINER
from pipeline.dashboard import wording as texts
from pipeline.dashboard.listing import Listing, page_of
from pipeline.dashboard.quarantined import Quarantine
from pipeline.dashboard.registry_changes import PERCENT, Action, Change
from pipeline.dashboard.rows import MEAN_IOU, RunRow, trend_points
from pipeline.dashboard.run_log import LogTail, find_log, read_tail
from pipeline.dashboard.runs import Run, State, Status
from pipeline.dashboard.sources import Snapshot
from pipeline.dashboard.step_list import step_rows
from pipeline.dashboard.trend import sparkline, trend_chart

_TEMPLATES = Path(__file__).parent / "templates"
_POLL_RUN, _POLL_LIST = 2, 5
"""Seconds between two looks at a page that changes."""
_CHANGES = 6
_ENTRIES = 48
_MARKS = {
    Status.RUNNING: ("●", "running"),
    Status.BLESSED: ("✓", "good"),
    Status.NOT_BLESSED: ("✕", "warn"),
    Status.STOPPED: ("■", "bad"),
    Status.FAILED: ("✕", "bad"),
    Status.INTERRUPTED: ("◌", "warn"),
    Status.UNCHANGED: ("–", "calm"),
    Status.UNREADABLE: ("?", "bad"),
}
_STEP_MARKS = {
    State.WAITING: "○",
    State.RUNNING: "●",
    State.DONE: "✓",
    State.CACHED: "↺",
    State.FAILED: "✕",
    State.INTERRUPTED: "◌",
    State.LEFT_OUT: "–",
}


def overview(snapshots: Sequence[Snapshot]) -> str:
    """Renders the start page: a card for each workspace, and the newest runs of all."""
    rows = sorted((row for each in snapshots for row in each.rows), key=lambda row: row.run.began, reverse=True)
    standings = [each.standing() for each in snapshots]
    cards = [
        {"snapshot": each, "standing": stands, "spark": sparkline(stands.values)}
        for each, stands in zip(snapshots, standings, strict=True)
    ]
    return _render("overview.html", cards=cards, rows=rows[:10], poll=_poll_list(rows))


def workspace(snapshot: Snapshot, listing: Listing, metric: str) -> str:
    """Renders the page of a workspace: how it stands, the trend of a metric, and the list of its runs."""
    chosen, pages = page_of(listing.choose(snapshot.runs), listing)
    by_key = {row.run.key: row for row in snapshot.rows}
    versions = snapshot.versions(metric)
    points = trend_points(versions)
    standing = snapshot.standing()
    return _render(
        "workspace.html",
        **_of(snapshot),
        standing=standing,
        measured=_changes(standing.measured.run.results.evaluation) if standing.measured else None,
        trend=trend_chart(points, wording.metric_label(metric)) if points else None,
        metric=metric,
        metrics=_metrics(snapshot),
        listing=listing,
        statuses=[(status, sum(run.status is status for run in snapshot.runs)) for status in Status],
        rows=[by_key[run.key] for run in chosen],
        pages=pages,
        poll=_poll_list(snapshot.rows),
    )


def run(snapshot: Snapshot, shown: Run) -> str:
    """Renders the page of a run."""
    row = next(row for row in snapshot.rows if row.run.key == shown.key)
    log = find_log(snapshot.workspace, shown.log, shown.began)
    tail = read_tail(log) if log else None
    return _render(
        "run.html",
        **_of(snapshot),
        run=shown,
        row=row,
        steps=step_rows(shown, snapshot.now),
        has_memory=any(step.megabytes is not None for step in shown.steps),
        changes=_changes(shown.results.evaluation),
        curves=training_curves(shown.results.trainings).iou if shown.results.trainings else None,
        tail=tail,
        error=shown.sentence or _error_in(tail, shown),
        commands=_commands(snapshot, shown),
        poll=_POLL_RUN if shown.is_running else None,
    )


def registry(snapshot: Snapshot, metric: str, done: str = "") -> str:
    """Renders the page of the registry; `done` says what was just changed."""
    rows = snapshot.versions(metric)
    points = trend_points(rows)
    return _render(
        "registry.html",
        **_of(snapshot),
        contents=snapshot.contents,
        rows=rows,
        metric=metric,
        metrics=_metrics(snapshot),
        trend=trend_chart(points, wording.metric_label(metric)) if points else None,
        done=done,
        percent=PERCENT,
        Action=Action,
        poll=None,
    )


def confirmation(snapshot: Snapshot, change: Change, fault: str = "") -> str:
    """Renders the question before a change, with the form that makes it."""
    return _render("confirm.html", **_of(snapshot), change=change, uri=snapshot.contents.uri, fault=fault, poll=None)


def quarantine(snapshot: Snapshot, shown: Run, found: Quarantine, reason: str, page: int) -> str:
    """Renders the quarantined pairs of a run, or those with one reason."""
    matching = [entry for entry in found.entries if not reason or entry.pair.reason.value == reason]
    pages = max(1, -(-len(matching) // _ENTRIES))
    page = min(max(page, 1), pages)
    return _render(
        "quarantine.html",
        **_of(snapshot),
        run=shown,
        found=found,
        summary=shown.results.ingestion,
        entries=matching[(page - 1) * _ENTRIES : page * _ENTRIES],
        matching=len(matching),
        reason=reason,
        page=page,
        pages=pages,
        poll=None,
    )


def token_form(target: str, fault: str = "") -> str:
    """Renders the form that takes the token."""
    return _render("token.html", target=target, fault=fault, poll=None)


def message(title: str, sentence: str) -> str:
    """Renders a page with one sentence."""
    return _render("message.html", title=title, sentence=sentence, poll=None)


def _render(template: str, **context: Any) -> str:
    return _environment().get_template(template).render(context)


@functools.cache
def _environment() -> jinja2.Environment:
    environment = page_templates(_TEMPLATES)
    environment.globals.update(version=__version__, marks=_MARKS, step_marks=_STEP_MARKS, Status=Status, State=State)
    environment.filters.update(
        formats.FILTERS,
        ago=texts.ago,
        label=wording.metric_label,
        listed=wording.listed,
        moment=texts.moment,
        place=texts.place,
        size=texts.size,
    )
    return environment


def _of(snapshot: Snapshot) -> dict[str, Any]:
    quarantined = next((run for run in snapshot.runs if run.results.ingestion), None)
    return {
        "workspace": snapshot.workspace,
        "now": snapshot.now,
        "faults": snapshot.faults,
        "registry_fault": snapshot.contents.fault,
        "newest_data": quarantined,
    }


def _poll_list(rows: Sequence[RunRow]) -> int | None:
    return _POLL_LIST if any(row.run.is_running for row in rows) else None


def _metrics(snapshot: Snapshot) -> list[str]:
    """Returns the metrics that a version has; the means first."""
    names = {name for version in snapshot.contents.versions for name in version.manifest.metrics}
    return sorted(names, key=lambda name: (name != MEAN_IOU, "/" in name, name))


def _changes(evaluation: Evaluation | None) -> dict[str, Any] | None:
    """Returns the classes and slices of an evaluation; those that changed most against the baseline first."""
    if evaluation is None:
        return None
    has_baseline = evaluation.baseline is not None
    classes = [row for row in tables.class_rows(evaluation) if row.iou.value is not None]
    slices = tables.slice_rows(evaluation)
    if has_baseline:
        classes.sort(key=lambda row: -abs(row.iou_change or 0.0))
        slices.sort(key=lambda row: -abs(row.iou_change or 0.0))
    return {
        "evaluation": evaluation,
        "has_baseline": has_baseline,
        "classes": classes[:_CHANGES],
        "more_classes": len(classes) - _CHANGES,
        "slices": slices[:_CHANGES],
        "more_slices": len(slices) - _CHANGES,
        "failed": [check for check in evaluation.verdict.checks if not check.passed],
        "kept": sum(check.passed for check in evaluation.verdict.checks),
        "coverage": wording.coverage(evaluation),
    }


def _error_in(tail: LogTail | None, shown: Run) -> str | None:
    """Returns the last error in the log of a run that failed without saying so in its journal."""
    if tail is None or shown.status not in (Status.FAILED, Status.STOPPED):
        return None
    told = [line for line in tail.lines if line.startswith("common.errors.UserError: ")]
    return told[-1].partition(": ")[2] if told else None


def _commands(snapshot: Snapshot, shown: Run) -> list[tuple[str, str]]:
    """Returns commands to copy, each with what it does."""
    found = []
    if shown.command:
        found.append(("Run it again", shlex.join(shown.command)))
        found.append(("Curves of the training", shlex.join(("segpipe", "tensorboard", *shown.command[2:]))))
    elif snapshot.workspace.config:
        found.append(("Curves of the training", shlex.join(("segpipe", "tensorboard", str(snapshot.workspace.config)))))
    else:
        logs = snapshot.workspace.folder / "artifacts" / TRAINER.component / keys.MODEL_RUN
        found.append(("Curves of the training", shlex.join(("tensorboard", "--logdir", str(logs)))))
    evaluation = shown.results.evaluation
    before = evaluation.verdict.baseline_version if evaluation else None
    if before is not None and shown is snapshot.runs[0]:
        folder, uri = str(snapshot.workspace.folder), snapshot.contents.uri
        compare = shlex.join(("segpipe", "diff", str(before), folder, "--registry", uri))
        found.append((f"Compare with version {before}, image by image", compare))
    return found
