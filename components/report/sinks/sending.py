"""Sends a run's results to all sinks that the configuration names."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from typing import Any

from tfx.dsl.io import fileio

from common import progress
from components.report.data import ReportData
from components.report.sinks.check import check_sinks
from components.report.sinks.config import SinksConfig

_LONGEST_REASON = 200


def send(
    sinks: SinksConfig, data: ReportData, config: Mapping[str, Any], documents: Mapping[str, str], model: str
) -> None:
    """Sends results, and reports what was sent, or why it could not be: a sink never fails a run.

    Args:
        sinks: Where to.
        data: Results of every step.
        config: The run's configuration.
        documents: File name → URI, of files that go along, such as the report.
        model: Folder of the SavedModel.
    """
    if sinks.mlflow is None:
        return
    try:
        check_sinks(sinks)
        with tempfile.TemporaryDirectory() as folder:
            files = [_copied(uri, os.path.join(folder, name)) for name, uri in documents.items()]
            from components.report.sinks.mlflow_sink import send_to_mlflow

            progress.report(send_to_mlflow(sinks.mlflow, data, config, files, model))
    except Exception as error:  # noqa: BLE001 The client raises what it likes, and the run is done.
        progress.report(f"warning: the run was not sent to MLflow, {sinks.mlflow.tracking_uri}: {_reason(error)}")


def _reason(error: BaseException) -> str:
    """Returns the error's text, or if it is long that of its innermost cause, which longer ones only wrap."""
    text = " ".join(str(error).split()) or type(error).__name__
    inner = error.__cause__ or error.__context__
    return text if len(text) <= _LONGEST_REASON or inner is None else _reason(inner)


def _copied(uri: str, path: str) -> str:
    fileio.copy(uri, path)
    return path
