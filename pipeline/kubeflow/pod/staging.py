"""Staging of a step's artifacts where an engine's workers see them.

Kubeflow's launcher keeps a step's artifacts on the pod's own disk, which the workers of Flink or Spark do not see.  So
inputs are copied to a folder on a shared volume, or to a bucket; the step runs with its outputs there, and they are
moved to the launcher's paths when it has succeeded.

Each attempt of a task has a folder of its own, `<task>-<id of the task>-<attempt>`, with a file `alive` that is written
again every minute.  A pod that is killed leaves its folder behind.  It is removed by the next attempt of the same task,
or, once the file is an hour old, by any other task that stages in the same place.
"""

from __future__ import annotations

import datetime
import logging
import posixpath
import re
import shutil
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from fsspec.core import url_to_fs

from common import progress
from pipeline.kubeflow.json_types import Json
from pipeline.kubeflow.pod.launcher import ArtifactPaths, artifact_uris, local_path

ABANDONED_AFTER = datetime.timedelta(hours=1)
_SECONDS_BETWEEN_SIGNS = 60.0
_ALIVE = "alive"
_ATTEMPT = re.compile(r"[a-z0-9-]+-[0-9a-f]{8}")
_logger = logging.getLogger(__name__)


@contextmanager
def staged(root: str, executor_input: Json, cancel_jobs: Callable[[str], None]) -> Iterator[Stage]:
    """Provides a stage with the inputs of a step; publishes the outputs if the step succeeds.

    The stage is removed however the step ends, short of a kill.

    Args:
        root: Folder on a shared volume, or an address in a bucket.
        executor_input: The launcher's `{{$}}`.
        cancel_jobs: Cancels the engine's jobs of an attempt, by the attempt's name; called before a folder is removed
            that such a job may still write to.
    """
    stage = Stage(root, executor_input)
    try:
        stage.sign_of_life()
        with stage.signs_of_life():
            stage.remove_left_behind(cancel_jobs)
            stage.upload_inputs()
            yield stage
            stage.download_outputs()
    except BaseException:
        cancel_jobs(stage.name)
        raise
    finally:
        stage.remove(stage.name)


class Stage:
    """Folder of one attempt of a task, in which its artifacts lie at the launcher's paths."""

    def __init__(self, root: str, executor_input: Json) -> None:
        self._task = _task_key(executor_input)
        self.name = f"{self._task}-{uuid.uuid4().hex[:8]}"
        """Name of the attempt: of its folder, and of its jobs."""
        self.paths = ArtifactPaths(executor_input, below=f"{root.rstrip('/')}/{self.name}")
        """Paths of the artifacts here."""
        self._inputs = artifact_uris(executor_input, "inputs")
        self._outputs = artifact_uris(executor_input, "outputs")
        self._fs, path = url_to_fs(root, use_listings_cache=False)
        self._root = str(path).rstrip("/")

    def upload_inputs(self) -> None:
        """Copies the inputs from the launcher's paths."""
        for uri in self._inputs:
            self._upload(Path(local_path(uri)), self._here(uri))

    def download_outputs(self) -> None:
        """Moves the outputs to the launcher's paths: first all of them beside these, then each into its place."""
        moves = [
            (self._download(self._here(uri), Path(local_path(uri))), Path(local_path(uri))) for uri in self._outputs
        ]
        for partial, target in moves:
            _remove_local(target)
            partial.rename(target)

    def sign_of_life(self) -> None:
        """Writes the file that shows that the attempt is running."""
        self._fs.makedirs(f"{self._root}/{self.name}", exist_ok=True)
        self._fs.pipe_file(self._sign(self.name), b"")

    @contextmanager
    def signs_of_life(self) -> Iterator[None]:
        """Writes that file every minute while the context is open."""
        ended = threading.Event()

        def write() -> None:
            while not ended.wait(_SECONDS_BETWEEN_SIGNS):
                try:
                    self.sign_of_life()
                except OSError as error:
                    _logger.warning("staging: cannot write %s: %s", self._sign(self.name), error)

        thread = threading.Thread(target=write, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def remove_left_behind(self, cancel_jobs: Callable[[str], None]) -> None:
        """Removes the folders of killed attempts: of this task, and of any task whose last sign of life is old."""
        now = self._fs.modified(self._sign(self.name))
        for name in self._attempts():
            if name == self.name:
                continue
            if self._is_of_this_task(name) or now - self._last_sign(name, now) > ABANDONED_AFTER:
                cancel_jobs(name)
                self.remove(name)
                progress.report(f"staging: removed {name}, which a killed pod has left behind")

    def remove(self, name: str) -> None:
        """Removes the folder of an attempt; a failure is reported, and left to a later task."""
        try:
            self._fs.rm(f"{self._root}/{name}", recursive=True)
        except FileNotFoundError:
            pass  # Another task was first.
        except OSError as error:
            progress.report(f"staging: {self._root}/{name} cannot be removed now, a later step will try again: {error}")

    def _attempts(self) -> list[str]:
        found = self._fs.ls(self._root, detail=False)
        names = {posixpath.basename(str(path).rstrip("/")) for path in found}
        return sorted(name for name in names if _ATTEMPT.fullmatch(name))

    def _is_of_this_task(self, name: str) -> bool:
        return name.rpartition("-")[0] == self._task

    def _last_sign(self, name: str, now: datetime.datetime) -> datetime.datetime:
        """Returns the time of an attempt's last sign of life; one that has just begun may have none yet."""
        for path in (self._sign(name), f"{self._root}/{name}"):
            try:
                last: datetime.datetime = self._fs.modified(path)
            except (FileNotFoundError, KeyError):
                continue
            return last
        return now

    def _sign(self, name: str) -> str:
        return f"{self._root}/{name}/{_ALIVE}"

    def _here(self, uri: str) -> str:
        return str(self._fs._strip_protocol(self.paths.to_local(uri)))

    def _upload(self, source: Path, target: str) -> None:
        files = [source] if source.is_file() else sorted(file for file in source.rglob("*") if file.is_file())
        targets = [posixpath.normpath(posixpath.join(target, file.relative_to(source).as_posix())) for file in files]
        for folder in sorted(set(map(posixpath.dirname, targets))):
            self._fs.makedirs(folder, exist_ok=True)
        self._fs.put([str(file) for file in files], targets)

    def _download(self, source: str, target: Path) -> Path:
        """Copies an output beside its place; an empty one becomes an empty folder."""
        partial = target.with_name(f".{target.name}.partial")
        _remove_local(partial)
        partial.parent.mkdir(parents=True, exist_ok=True)
        # Some stores keep empty objects in the place of folders, with a slash at the end of their names.
        found = sorted(name for name in self._fs.find(source) if not name.endswith("/"))
        if found == [source]:
            self._fs.get_file(source, str(partial))
            return partial
        partial.mkdir()
        targets = [partial / posixpath.relpath(name, source) for name in found]
        for folder in {file.parent for file in targets}:
            folder.mkdir(parents=True, exist_ok=True)
        self._fs.get(found, [str(file) for file in targets])
        return partial


def _task_key(executor_input: Json) -> str:
    """Returns the task's name and id, which the driver puts into the URI of each output: `…/<task>/<id>/<key>`."""
    parts = artifact_uris(executor_input, "outputs")[0].split("/")[-3:-1]
    return re.sub(r"[^a-z0-9]+", "-", "-".join(parts).lower()).strip("-")


def _remove_local(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
