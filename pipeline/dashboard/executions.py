"""Executions of the steps of all runs of a workspace, from its ML Metadata."""

from __future__ import annotations

import datetime
import enum
import re
import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components import component_keys as keys
from pipeline.dag.steps import FOLD_TRAINERS
from pipeline.dashboard.workspaces import Workspace
from pipeline.local.metadata_file import artifact_folder, open_metadata
from pipeline.local.run_journal import run_key

if TYPE_CHECKING:  # Imported when a database is read.
    from ml_metadata.metadata_store import MetadataStore
    from ml_metadata.proto import metadata_store_pb2

_RUN_CONTEXT = "pipeline_run"
_FOLD_TRAINER = "FoldTrainer"
_STATEMENT = re.compile(r" query:\s+(CREATE|SELECT|PRAGMA)\b.*")
"""The end of an error of ML Metadata."""
_KEPT_PROPERTIES = (keys.DATA_CONFIG, keys.RUN_CONFIG)


class State(str, enum.Enum):
    """State of a step in a run."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    CACHED = "cached"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    LEFT_OUT = "not run"


@dataclass(frozen=True)
class Execution:
    """One execution of a step."""

    component: str
    number: int
    state: State
    began: datetime.datetime
    ended: datetime.datetime
    """Its last change."""
    inputs: Mapping[str, tuple[str, ...]]
    outputs: Mapping[str, tuple[str, ...]]
    """Key → folders, relative to the workspace."""
    properties: Mapping[str, str]

    @property
    def is_final(self) -> bool:
        """Whether it can no longer change."""
        return self.state in (State.DONE, State.CACHED, State.FAILED)


@dataclass(frozen=True)
class RecordedRun:
    """The executions of one run, in the order in which they began."""

    key: str
    began: datetime.datetime
    executions: tuple[Execution, ...]


class ExecutionReader:
    """Reads a workspace's database again only if it has changed, and of the runs only those that may have."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._final: dict[int, RecordedRun] = {}
        self._stamp: object = None
        self._runs: tuple[RecordedRun, ...] = ()
        self._lock = threading.Lock()

    def runs(self, faults: list[str]) -> tuple[RecordedRun, ...]:
        """Returns all runs, oldest first; if the database cannot be read, those read before, and adds to `faults`."""
        with self._lock:
            stamp = _stamp(self._workspace.metadata)
            if stamp != self._stamp:
                try:
                    self._runs = self._read() if stamp else ()
                    self._stamp = stamp
                except Exception as error:  # noqa: BLE001  # A broken database raises any of MLMD's errors.
                    first_line = next(iter(str(error).splitlines()), type(error).__name__)
                    why = _STATEMENT.sub("", first_line)
                    faults.append(f"{self._workspace.metadata} cannot be read: {why}")
            return self._runs

    def _read(self) -> tuple[RecordedRun, ...]:
        store = open_metadata(self._workspace.folder)
        contexts = sorted(store.get_contexts_by_type(_RUN_CONTEXT), key=lambda context: context.id)
        changed = {
            context.id: store.get_executions_by_context(context.id)
            for context in contexts
            if context.id not in self._final
        }
        folders = _folders(store, [each.id for found in changed.values() for each in found], self._workspace)
        runs = []
        for context in contexts:
            run = self._final.get(context.id) or _run(context, changed[context.id], folders)
            if context is not contexts[-1] and all(each.is_final for each in run.executions):
                self._final[context.id] = run
            runs.append(run)
        return tuple(runs)


_Folders = Mapping[tuple[int, bool], Mapping[str, tuple[str, ...]]]
"""(execution, whether outputs) → key → folders."""


def _stamp(database: Path) -> object:
    """Returns what changes whenever the database does; `None` if there is none."""
    try:
        status = database.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _run(
    context: metadata_store_pb2.Context, found: Iterable[metadata_store_pb2.Execution], folders: _Folders
) -> RecordedRun:
    executions = sorted((_execution(each, folders) for each in found), key=lambda each: each.number)
    return RecordedRun(run_key(_begin(context)), _begin(context).astimezone(), tuple(executions))


def _begin(context: metadata_store_pb2.Context) -> datetime.datetime:
    """Returns the begin of a run, which is its id in local time; of other ids, when it was recorded."""
    try:
        return datetime.datetime.fromisoformat(context.name)
    except ValueError:
        return datetime.datetime.fromtimestamp(context.create_time_since_epoch / 1000)


def _execution(found: metadata_store_pb2.Execution, folders: _Folders) -> Execution:
    from ml_metadata.proto import metadata_store_pb2

    states = {
        metadata_store_pb2.Execution.COMPLETE: State.DONE,
        metadata_store_pb2.Execution.CACHED: State.CACHED,
        metadata_store_pb2.Execution.FAILED: State.FAILED,
        metadata_store_pb2.Execution.CANCELED: State.FAILED,
    }
    properties = found.custom_properties
    return Execution(
        component=_component(found),
        number=found.id,
        state=states.get(found.last_known_state, State.RUNNING),
        began=_moment(found.create_time_since_epoch),
        ended=_moment(found.last_update_time_since_epoch),
        inputs=folders.get((found.id, False), {}),
        outputs=folders.get((found.id, True), {}),
        properties={name: properties[name].string_value for name in _KEPT_PROPERTIES if name in properties},
    )


def _component(execution: metadata_store_pb2.Execution) -> str:
    """Returns the step of an execution: the class of its component, or one of the Trainers of folds."""
    name = str(execution.type).rpartition(".")[2]
    if name != _FOLD_TRAINER:
        return name
    fold = execution.custom_properties[keys.FOLD].int_value
    return FOLD_TRAINERS[fold - 1].component if 1 <= fold <= len(FOLD_TRAINERS) else name


def _moment(milliseconds: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(milliseconds / 1000).astimezone()


def _folders(store: MetadataStore, executions: list[int], workspace: Workspace) -> _Folders:
    from ml_metadata.proto import metadata_store_pb2

    events = store.get_events_by_execution_ids(executions) if executions else []
    artifacts = store.get_artifacts_by_id(sorted({event.artifact_id for event in events})) if events else []
    uris = {artifact.id: artifact.uri for artifact in artifacts}
    found: Any = defaultdict(lambda: defaultdict(tuple))
    for event in events:
        if event.path.steps and event.artifact_id in uris:
            outputs = event.type == metadata_store_pb2.Event.OUTPUT
            of_key = found[event.execution_id, outputs]
            of_key[event.path.steps[0].key] += (artifact_folder(uris[event.artifact_id]),)
    return found
