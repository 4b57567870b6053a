"""Runs of a workspace: their steps, results and status, put together from what runner and steps have written."""

from __future__ import annotations

import contextlib
import datetime
import enum
import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from components import component_keys as keys
from components.cross_validator.result import CROSS_VALIDATION_FILE, CrossValidation
from components.data_gate.result import GATE_FILE, GateReport
from components.evaluator.results import RESULTS_FILE, Evaluation
from components.example_gen.quarantine import SUMMARY_FILE, IngestionSummary
from components.pusher.result import PUSHED_FILE, PushResult
from components.serving_check.result import RESULT_FILE as SERVING_FILE
from components.serving_check.result import ServingCheckResult
from components.trainer.history import HISTORY_FILE, TrainingHistory
from pipeline.dag.steps import (
    CROSS_VALIDATOR,
    DATA_GATE,
    EVALUATOR,
    EXAMPLE_GEN,
    PUSHER,
    REPORT,
    SERVING_CHECK,
    STEPS,
    TRAINER,
    StepSpec,
)
from pipeline.dashboard.executions import Execution, ExecutionReader, RecordedRun, State
from pipeline.dashboard.result_files import Model, ResultFiles
from pipeline.dashboard.workspace_lock import is_locked
from pipeline.dashboard.workspaces import LOGS, Workspace
from pipeline.local.metadata_file import ARTIFACTS
from pipeline.local.run_journal import JOURNALS, RunJournal, began_of_key

_PLACES = {step.component: place for place, step in enumerate(STEPS)}
_NAMES = {step.component: step.display_name for step in STEPS}


class Status(str, enum.Enum):
    """How a run stands."""

    RUNNING = "running"
    BLESSED = "blessed"
    NOT_BLESSED = "not blessed"
    STOPPED = "stopped by the data gate"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    UNCHANGED = "nothing to do"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Step:
    """A step of a run, also one that has not begun."""

    component: str
    state: State
    after: tuple[str, ...]
    execution: Execution | None
    megabytes: float | None = None
    """Peak memory, if the run's journal says it."""

    @property
    def name(self) -> str:
        """Its display name; of a step that this version does not know, the component's."""
        return _NAMES.get(self.component, self.component)

    def seconds(self, now: datetime.datetime) -> float | None:
        """How long it took, or has taken until now; `None` if it was cached, has not begun, or has no known end."""
        if self.execution is None or self.state in (State.CACHED, State.INTERRUPTED):
            return None
        end = now if self.state is State.RUNNING else self.execution.ended
        return max(0.0, (end - self.execution.began).total_seconds())


@dataclass(frozen=True)
class Results:
    """What the steps have written; `None` for what is not there, or cannot be read."""

    ingestion: IngestionSummary | None
    gate: GateReport | None
    trainings: tuple[TrainingHistory, ...]
    evaluation: Evaluation | None
    serving: ServingCheckResult | None
    push: PushResult | None


@dataclass(frozen=True)
class Run:
    """A run."""

    workspace: Workspace
    key: str
    name: str
    status: Status
    began: datetime.datetime
    ended: datetime.datetime | None
    """`None` while it runs."""
    steps: tuple[Step, ...]
    results: Results
    sentence: str | None
    """The error that ended it, or why nothing was run, if its journal says it."""
    log: str | None
    """Name of its log file, if its journal says it."""
    command: tuple[str, ...]
    """The command that started it, if its journal says it."""
    faults: tuple[str, ...]
    """Files that could not be read."""

    @property
    def is_running(self) -> bool:
        """Whether it runs now."""
        return self.status is Status.RUNNING

    def seconds(self, now: datetime.datetime) -> float:
        """How long it took, or has taken until now."""
        return max(0.0, ((self.ended or now) - self.began).total_seconds())

    def folder(self, step: StepSpec, key: str) -> Path | None:
        """Returns the folder of a step's output, inside the workspace; `None` if there is none."""
        found = next((each.execution for each in self.steps if each.component == step.component), None)
        return None if found is None else _output(self.workspace, found, key)

    @property
    def report_folder(self) -> Path | None:
        """Folder of its report, once that is written."""
        written = any(s.component == REPORT.component and s.state in (State.DONE, State.CACHED) for s in self.steps)
        return self.folder(REPORT, keys.REPORT) if written else None

    @property
    def quarantine_folder(self) -> Path | None:
        """Folder of the quarantined pairs."""
        return self.folder(EXAMPLE_GEN, keys.QUARANTINE)

    def recorded(self, name: str) -> str | None:
        """Returns a property that one of its executions has, such as `component_keys.RUN_CONFIG`."""
        executions = (step.execution for step in reversed(self.steps) if step.execution)
        return next((each.properties[name] for each in executions if name in each.properties), None)


class _JournalFile(NamedTuple):
    journal: RunJournal | None
    faults: tuple[str, ...]


class RunReader:
    """Reads the runs of one workspace."""

    def __init__(self, workspace: Workspace, files: ResultFiles) -> None:
        self._workspace = workspace
        self._files = files
        self._executions = ExecutionReader(workspace)
        self._ended: dict[str, tuple[RecordedRun | None, RunJournal | None, Run]] = {}
        """Runs that can no longer change, with what they were made of: TFX never changes an artifact."""

    def runs(self) -> tuple[list[Run], list[str]]:
        """Returns all runs, newest first, and what of the workspace cannot be read."""
        faults: list[str] = []
        recorded = {run.key: run for run in self._executions.runs(faults)}
        journals = self._journals()
        every = sorted({*recorded, *journals}, reverse=True)
        is_live = is_locked(self._workspace.folder / "lock")
        runs = [
            self._run(key, recorded.get(key), journals.get(key), is_live and place == 0)
            for place, key in enumerate(every)
        ]
        return runs, faults

    def _journals(self) -> dict[str, _JournalFile]:
        try:
            paths = [path for path in (self._workspace.folder / JOURNALS).iterdir() if path.suffix == ".json"]
        except OSError:
            return {}
        return {path.stem: self._journal(path) for path in paths if began_of_key(path.stem)}

    def _journal(self, path: Path) -> _JournalFile:
        faults: list[str] = []
        return _JournalFile(self._files.read(path, RunJournal, faults), tuple(faults))

    def _run(self, key: str, recorded: RecordedRun | None, file: _JournalFile | None, live: bool) -> Run:
        kept, journal = self._ended.get(key), file.journal if file else None
        if kept and kept[0] is recorded and kept[1] is journal:
            return kept[2]
        run = self._make_run(key, recorded, journal, list(file.faults) if file else [], live)
        if not live and not run.faults:
            self._ended[key] = (recorded, journal, run)
        return run

    def _make_run(
        self, key: str, recorded: RecordedRun | None, journal: RunJournal | None, faults: list[str], live: bool
    ) -> Run:
        executions = recorded.executions if recorded else ()
        live = live and not _has_ended(executions, journal)
        steps = _steps(executions, journal, live)
        is_damaged = bool(faults) and not executions
        results = self._results(executions, faults)
        began = journal.began if journal else recorded.began if recorded else began_of_key(key)
        assert began is not None, "every key is of a run with a begin"
        ended = journal.ended if journal else None
        return Run(
            workspace=self._workspace,
            key=key,
            name=journal.name if journal else self._workspace.key,
            status=Status.UNREADABLE if is_damaged else Status.RUNNING if live else _status(steps, results, journal),
            began=began.astimezone(),
            ended=None if live else (ended or self._last_sign(executions, journal, began)).astimezone(),
            steps=steps,
            results=results,
            sentence=journal.sentence if journal else None,
            log=journal.log if journal else None,
            command=journal.command if journal else (),
            faults=tuple(faults),
        )

    def _last_sign(
        self, executions: Sequence[Execution], journal: RunJournal | None, began: datetime.datetime
    ) -> datetime.datetime:
        """Returns when a run without a recorded end last did something, also if that was only a line in its log."""
        signs = [began, *(each.ended for each in executions)]
        with contextlib.suppress(OSError):
            if journal and journal.log:
                written = (self._workspace.folder / LOGS / Path(journal.log).name).stat().st_mtime
                signs.append(datetime.datetime.fromtimestamp(written).astimezone())
        return max(signs)

    def _results(self, executions: Sequence[Execution], faults: list[str]) -> Results:
        of = {each.component: each for each in executions}
        read = functools.partial(self._read, of, faults)
        folds = read(CROSS_VALIDATOR, keys.CROSS_VALIDATION, CROSS_VALIDATION_FILE, CrossValidation)
        history = read(TRAINER, keys.MODEL_RUN, HISTORY_FILE, TrainingHistory)
        return Results(
            ingestion=read(EXAMPLE_GEN, keys.QUARANTINE, SUMMARY_FILE, IngestionSummary),
            gate=read(DATA_GATE, keys.GATE, GATE_FILE, GateReport),
            trainings=tuple(fold.history for fold in folds.folds) if folds else (history,) if history else (),
            evaluation=read(EVALUATOR, keys.EVALUATION, RESULTS_FILE, Evaluation),
            serving=read(SERVING_CHECK, keys.BLESSING, SERVING_FILE, ServingCheckResult),
            push=read(PUSHER, keys.PUSHED_MODEL, PUSHED_FILE, PushResult),
        )

    def _read(
        self,
        executions: Mapping[str, Execution],
        faults: list[str],
        step: StepSpec,
        key: str,
        file: str,
        kind: type[Model],
    ) -> Model | None:
        execution = executions.get(step.component)
        folder = _output(self._workspace, execution, key) if execution else None
        return self._files.read(folder / file, kind, faults) if folder else None


def _output(workspace: Workspace, execution: Execution, key: str) -> Path | None:
    """Returns the folder of an output; one that is not recorded, since the step has not ended well, may exist."""
    recorded = execution.outputs.get(key)
    relative = recorded[0] if recorded else f"{ARTIFACTS}/{execution.component}/{key}/{execution.number}"
    return workspace.inside(workspace.folder / relative)


def _has_ended(executions: Sequence[Execution], journal: RunJournal | None) -> bool:
    if journal is not None:
        return journal.outcome is not None
    return any(each.state is State.FAILED for each in executions) or _is_complete(executions)


def _is_complete(executions: Iterable[Execution]) -> bool:
    return any(each.component == REPORT.component and each.state in (State.DONE, State.CACHED) for each in executions)


def _steps(executions: Sequence[Execution], journal: RunJournal | None, live: bool) -> tuple[Step, ...]:
    """Returns the planned steps in the order of the pipeline; without a plan, those that have begun."""
    of = {each.component: each for each in executions}
    if journal and journal.steps:
        planned = {step.component: step.after for step in journal.steps}
    else:
        planned = {each.component: _producers(each) for each in executions}
    order = sorted(planned, key=lambda component: _PLACES.get(component, len(_PLACES)))
    memory = {each.component: each.megabytes for each in journal.usage if not each.cached} if journal else {}
    return tuple(
        Step(name, _state(of.get(name), live), planned[name], of.get(name), memory.get(name)) for name in order
    )


def _producers(execution: Execution) -> tuple[str, ...]:
    """Returns the steps whose outputs an execution has read, by the folders of the artifacts."""
    return tuple(sorted({path.split("/")[1] for paths in execution.inputs.values() for path in paths}))


def _state(execution: Execution | None, live: bool) -> State:
    if execution is None:
        return State.WAITING if live else State.LEFT_OUT
    if execution.state is State.RUNNING and not live:
        return State.INTERRUPTED
    return execution.state


def _status(steps: Sequence[Step], results: Results, journal: RunJournal | None) -> Status:
    """Returns the status of a run that has ended."""
    outcome = journal.outcome if journal else None
    failed = {step.component for step in steps if step.state is State.FAILED}
    if outcome == "unchanged":
        return Status.UNCHANGED
    if failed or outcome == "failed":
        return Status.STOPPED if DATA_GATE.component in failed and _gate_failed(results) else Status.FAILED
    if not _is_complete([step.execution for step in steps if step.execution]):
        return Status.INTERRUPTED
    if results.evaluation is None:
        return Status.UNREADABLE
    return Status.BLESSED if results.evaluation.verdict.blessed else Status.NOT_BLESSED


def _gate_failed(results: Results) -> bool:
    """Returns whether the gate's step failed by its findings, not by an error of its own."""
    return results.gate is not None and not results.gate.passed
