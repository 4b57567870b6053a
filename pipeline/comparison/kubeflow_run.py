"""Side of a comparison from the files that a run in Kubeflow has left under its pipeline root.

The driver of Kubeflow Pipelines lays them as `ROOT/PIPELINE/RUN_ID/TASK/UUID/OUTPUT` (`provisionOutputs` in
`backend/src/v2/driver/driver.go`, release 2.17).  A step that was cached has left its files in an earlier run; the
lineage that the report writes (`components/report/lineage.py`) leads there.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from common.errors import UserError
from common.plain_path import plain_path
from common.plurals import counted
from components import component_keys as keys
from components.cross_validator.result import CROSS_VALIDATION_FILE
from components.example_gen.quarantine import SUMMARY_FILE
from components.report.lineage import LINEAGE_FILE, Lineage, resolved
from components.trainer.history import HISTORY_FILE
from pipeline.comparison.side import SAVED_MODEL, Side, finished_side
from pipeline.dag.steps import REPORT
from registry.hashing import safe_path
from registry.storage import open_storage

_NEEDED = {
    keys.EXAMPLES: "",
    keys.QUARANTINE: SUMMARY_FILE,
    keys.MODEL: SAVED_MODEL,
    keys.MODEL_RUN: HISTORY_FILE,
    keys.CROSS_VALIDATION: CROSS_VALIDATION_FILE,
}
"""Artifact → the file or folder of it that a comparison reads; empty: all of it."""

_SHOWN = 6


def find_run(root: str, run_id: str) -> str:
    """Returns the address of a run under a pipeline root.

    Raises:
        UserError: no pipeline there has this run.
    """
    storage = open_storage(readable(root))
    for pipeline in storage.names(""):
        if run_id in storage.names(pipeline):
            return f"{root.rstrip('/')}/{pipeline}/{run_id}"
    raise UserError(f"{root} has no run {run_id}; check --root, which has a folder for each pipeline, and the run's ID")


def kubeflow_side(address: str, folder: Path, report: Callable[[str], None]) -> Side:
    """Returns a finished run in Kubeflow.

    Args:
        address: `ROOT/PIPELINE/RUN_ID`, a local path or a URI.
        folder: Empty folder for files of a bucket.
        report: Told what is being copied.

    Raises:
        UserError: there is no run, it has not written its report, or files of it are gone.
    """
    place, lineage = _lineage(address)
    artifacts = {
        key: _fetched(address, key, resolved(place, lineage.artifacts[key]), folder, report)
        for key in _NEEDED
        if key in lineage.artifacts
    }
    return finished_side(address, lineage.config, artifacts)


def readable(uri: str) -> str:
    """Returns a URI that fsspec can open: `minio://` is what Kubeflow calls an S3 of its own."""
    return f"s3://{uri.removeprefix('minio://')}" if uri.startswith("minio://") else uri


def _lineage(address: str) -> tuple[str, Lineage]:
    """Returns the lineage of a run, and the folder of its file."""
    root = readable(address).rstrip("/")
    storage = open_storage(root)
    for attempt in storage.names(REPORT.task):
        place = f"{REPORT.task}/{attempt}/{keys.LINEAGE}"
        if storage.files(place) == [LINEAGE_FILE]:
            return f"{root}/{place}", Lineage.model_validate_json(storage.read(f"{place}/{LINEAGE_FILE}"))
    raise UserError(_why_not(address, storage.names("")))


def _why_not(address: str, tasks: list[str]) -> str:
    """Returns why a run cannot be compared, by the folders of its tasks."""
    if not tasks:
        return f"{address} has no files; the address of a run is PIPELINE_ROOT/PIPELINE/RUN_ID"
    if REPORT.task in tasks:
        return (
            f"the report of {address} is of an older version of segpipe and does not say where the run's files lie; "
            "compare the versions that the runs pushed"
        )
    named = ", ".join(tasks[:_SHOWN]) + (" …" if len(tasks) > _SHOWN else "")
    return (
        f"{address} is not a finished run: it has no {REPORT.task}, only {named}; the run has failed or goes on, "
        "or the whole result is that of an earlier run"
    )


def _fetched(address: str, key: str, location: str, folder: Path, report: Callable[[str], None]) -> Path:
    """Returns the local folder of an artifact; what a comparison reads of one in a bucket is copied."""
    storage = open_storage(location)
    wanted = _NEEDED[key]
    files = [file for file in storage.files() if not wanted or file == wanted or file.startswith(f"{wanted}/")]
    if not files:
        raise UserError(
            f"the artifact {key} of {address} is gone: {location} has no files; it may be of an earlier run"
        )
    if "://" not in location:
        return plain_path(location)
    report(f"copying {counted(len(files), 'file')} of {key}")
    for file in files:
        target = folder / key / safe_path(file)
        target.parent.mkdir(parents=True, exist_ok=True)
        with storage.open(file) as source, target.open("wb") as copy:
            shutil.copyfileobj(source, copy)
    return folder / key
