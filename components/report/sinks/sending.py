"""Sends a run's results to all sinks that the configuration names."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from tfx.dsl.io import fileio

from common import progress
from components.report.data import ReportData
from components.report.sinks.check import check_sinks
from components.report.sinks.config import KubeflowHubSink, MLflowSink, SinksConfig

_LONGEST_REASON = 200


class _Target(NamedTuple):
    """A sink that the configuration names."""

    name: str
    address: str
    send: Callable[[], str]
    """Sends the run; returns one sentence that says what was sent."""


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
    targets = []
    if mlflow := sinks.mlflow:
        to_mlflow = partial(_send_to_mlflow, mlflow, data, config, documents, model)
        targets.append(_Target("MLflow", mlflow.tracking_uri, to_mlflow))
    if hub := sinks.kubeflow_hub:
        targets.append(_Target("Kubeflow Hub", hub.server, partial(_send_to_kubeflow_hub, hub, data)))
    for target in targets:
        try:
            progress.report(target.send())
        except Exception as error:  # noqa: BLE001 A client raises what it likes, and the run is done.
            progress.report(f"warning: the run was not sent to {target.name}, {target.address}: {_reason(error)}")


def _send_to_mlflow(
    sink: MLflowSink, data: ReportData, config: Mapping[str, Any], documents: Mapping[str, str], model: str
) -> str:
    check_sinks(SinksConfig(mlflow=sink))
    from components.report.sinks.mlflow_sink import send_to_mlflow

    with tempfile.TemporaryDirectory() as folder:
        files = [_copied(uri, os.path.join(folder, name)) for name, uri in documents.items()]
        return send_to_mlflow(sink, data, config, files, model)


def _send_to_kubeflow_hub(sink: KubeflowHubSink, data: ReportData) -> str:
    from components.report.sinks.kubeflow_hub_sink import send_to_kubeflow_hub

    return send_to_kubeflow_hub(sink, data)


def _reason(error: BaseException) -> str:
    """Returns the error's text, or if it is long that of its innermost cause, which longer ones only wrap."""
    text = " ".join(str(error).split()) or type(error).__name__
    inner = error.__cause__ or error.__context__
    return text if len(text) <= _LONGEST_REASON or inner is None else _reason(inner)


def _copied(uri: str, path: str) -> str:
    fileio.copy(uri, path)
    return path
