"""Sends a run to a tracking server of MLflow."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from components.report.data import ReportData
from components.report.sinks.config import MLflowSink
from components.report.sinks.figures import epoch_metrics, final_metrics, parameters

if TYPE_CHECKING:
    from mlflow import MlflowClient

_T = TypeVar("_T")

# Limits of the server for one request (`mlflow.utils.validation`, 3.17).
_METRICS_IN_REQUEST = 1000
_PARAMETERS_IN_REQUEST = 100
_LONGEST_PARAMETER = 6000
_LONGEST_NAME = 250
_MODEL_FOLDER = "model"


def send_to_mlflow(
    sink: MLflowSink, data: ReportData, config: Mapping[str, Any], files: Sequence[str], model: str
) -> str:
    """Sends a run with its files, and registers `model`, the folder of a SavedModel, if it was pushed.

    Returns:
        One sentence that says what was sent.

    Raises:
        Exception: whatever MLflow's client raises.
    """
    with _environment(
        {"MLFLOW_HTTP_REQUEST_TIMEOUT": str(sink.timeout_seconds), "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
    ):
        from mlflow import MlflowClient

        client = MlflowClient(tracking_uri=sink.tracking_uri, registry_uri=sink.tracking_uri)
        experiment = _experiment(client, sink.experiment or data.name)
        run = client.create_run(experiment, run_name=f"{data.name} {data.created:%Y-%m-%d %H:%M}", tags=_tags(data))
        run_id = run.info.run_id
        try:
            dropped = _send(client, run_id, data, config)
            for file in files:
                client.log_artifact(run_id, file)
            version = _register(client, sink.registered_model, run_id, data, model)
        except BaseException:
            client.set_terminated(run_id, "FAILED")
            raise
        client.set_terminated(run_id, "FINISHED")
    notes = [f"version {version} of {sink.registered_model}"] if version else []
    notes += [f"{dropped} names are too long for MLflow and were left out"] if dropped else []
    return f"MLflow: {sink.tracking_uri}/#/experiments/{experiment}/runs/{run_id}" + "".join(f"; {n}" for n in notes)


def _experiment(client: MlflowClient, name: str) -> str:
    found = client.get_experiment_by_name(name)
    return found.experiment_id if found else client.create_experiment(name)


def _tags(data: ReportData) -> dict[str, str]:
    version = data.push.version if data.push else None
    return {
        "segpipe.name": data.name,
        "segpipe.blessed": str(data.evaluation.verdict.blessed).lower(),
        "segpipe.version": "" if version is None else str(version),
        "segpipe.registry": data.push.registry if data.push else "",
        "segpipe.data": data.ingestion.data_fingerprint,
        "segpipe.code": data.software.get("code", ""),
    }


def _send(client: MlflowClient, run_id: str, data: ReportData, config: Mapping[str, Any]) -> int:
    """Sends parameters and metrics; returns how many names were too long."""
    from mlflow.entities import Metric, Param

    now = int(time.time() * 1000)
    metrics = [Metric(name, value, now, 0) for name, value in final_metrics(data.evaluation).items()]
    metrics += [Metric(each.name, each.value, now, each.epoch) for each in epoch_metrics(data.trainings)]
    parameter_list = [Param(name, value[:_LONGEST_PARAMETER]) for name, value in parameters(config)]
    short_metrics = [each for each in metrics if len(each.key) <= _LONGEST_NAME]
    short_parameters = [each for each in parameter_list if len(each.key) <= _LONGEST_NAME]
    for part in _parts(short_parameters, _PARAMETERS_IN_REQUEST):
        client.log_batch(run_id, params=part)
    for some in _parts(short_metrics, _METRICS_IN_REQUEST):
        client.log_batch(run_id, metrics=some)
    return len(metrics) + len(parameter_list) - len(short_metrics) - len(short_parameters)


def _register(client: MlflowClient, name: str | None, run_id: str, data: ReportData, model: str) -> str | None:
    """Uploads and registers the model of a pushed version; returns its number in MLflow."""
    if name is None or data.push is None or not data.push.pushed:
        return None
    from mlflow.exceptions import MlflowException

    client.log_artifacts(run_id, model, _MODEL_FOLDER)
    try:
        client.get_registered_model(name)
    except MlflowException:
        client.create_registered_model(name)
    source = f"{client.get_run(run_id).info.artifact_uri}/{_MODEL_FOLDER}"
    version = client.create_model_version(name, source, run_id, tags={"segpipe.version": str(data.push.version)})
    if data.push.served == data.push.version:
        client.set_registered_model_alias(name, "served", version.version)
    return version.version


def _parts(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    iterator = iter(items)
    while part := list(itertools.islice(iterator, size)):
        yield part


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Sets environment variables that are not set, for a while: MLflow has no other way to limit its waiting."""
    new = {name: value for name, value in values.items() if name not in os.environ}
    os.environ.update(new)
    try:
        yield
    finally:
        for name in new:
            os.environ.pop(name, None)
