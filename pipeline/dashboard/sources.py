"""All that the dashboard reads, with its caches."""

from __future__ import annotations

import datetime
import threading
from dataclasses import dataclass

from pipeline.dashboard.result_files import ResultFiles
from pipeline.dashboard.rows import MEAN_IOU, RunRow, Standing, VersionRow, run_rows, standing, version_rows
from pipeline.dashboard.runs import Run, RunReader
from pipeline.dashboard.versions import Contents, RegistryReader, registry_of
from pipeline.dashboard.workspaces import Workspace, Workspaces


@dataclass(frozen=True)
class Snapshot:
    """A workspace at one moment."""

    workspace: Workspace
    now: datetime.datetime
    runs: tuple[Run, ...]
    """Newest first."""
    rows: tuple[RunRow, ...]
    contents: Contents
    faults: tuple[str, ...]

    def run(self, key: str) -> Run | None:
        """Returns the run with this key."""
        return next((run for run in self.runs if run.key == key), None)

    def versions(self, metric: str = MEAN_IOU) -> list[VersionRow]:
        """Returns the rows of the registry's table."""
        return version_rows(self.contents, self.runs, metric)

    def standing(self) -> Standing:
        """Sums the workspace up."""
        return standing(self.rows, self.versions())


class Sources:
    """Reads the workspaces."""

    def __init__(self, workspaces: Workspaces) -> None:
        self.workspaces = workspaces
        self._files = ResultFiles()
        self._registries = RegistryReader()
        self._readers: dict[Workspace, RunReader] = {}
        self._lock = threading.Lock()

    def snapshots(self) -> list[Snapshot]:
        """Returns all workspaces."""
        return [self._snapshot(workspace) for workspace in self.workspaces.current()]

    def snapshot(self, key: str) -> Snapshot | None:
        """Returns one workspace; `None` if there is none with this key."""
        workspace = self.workspaces.find(key)
        return self._snapshot(workspace) if workspace else None

    def _snapshot(self, workspace: Workspace) -> Snapshot:
        with self._lock:
            reader = self._readers.setdefault(workspace, RunReader(workspace, self._files))
        runs, faults = reader.runs()
        contents = self._registries.contents(registry_of(workspace, runs))
        now = datetime.datetime.now().astimezone()
        return Snapshot(workspace, now, tuple(runs), tuple(run_rows(runs, contents, now)), contents, tuple(faults))
