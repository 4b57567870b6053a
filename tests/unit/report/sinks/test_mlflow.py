"""A real tracking server of MLflow: it shows what was sent."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.report.data import ReportData
from components.report.sinks.config import MLflowSink

PROGRAM = os.environ.get("SEGPIPE_TEST_MLFLOW") or shutil.which("mlflow")
CONFIG = {"name": "sample", "trainer": {"epochs": 5, "note": "x" * 7000}}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server, which takes half a minute to begin."""
    pytest.importorskip("mlflow", reason="pip install -e '.[mlflow]'")
    version = PROGRAM and subprocess.run([PROGRAM, "server", "--help"], capture_output=True, check=False)
    if not version or version.returncode:
        pytest.skip("SEGPIPE_TEST_MLFLOW names the program `mlflow` of an environment with all of MLflow")
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [PROGRAM, "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder}/db", "--artifacts-destination", str(folder / "artifacts")]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, cwd=folder, stdout=log, stderr=log) as server:
        try:
            _await(f"http://127.0.0.1:{port}", server)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def _await(address: str, server: subprocess.Popen[bytes], seconds: float = 180) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and server.poll() is None:
        try:
            urllib.request.urlopen(f"{address}/health", timeout=5).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
        else:
            return
    raise TimeoutError(f"MLflow's server does not answer at {address}")


def sent(address: str, data: ReportData, folder: Path, **settings: str) -> str:
    """Sends a run; returns its id at the server."""
    from components.report.sinks.mlflow_sink import send_to_mlflow

    (folder / "report.html").write_text("<html>", encoding="utf-8")
    (folder / "model").mkdir(exist_ok=True)
    (folder / "model" / "saved_model.pb").write_bytes(b"graph")
    sink = MLflowSink(tracking_uri=address, **settings)
    told = send_to_mlflow(sink, data, CONFIG, [str(folder / "report.html")], str(folder / "model"))
    return told.partition(";")[0].rpartition("/")[2]


def test_the_server_has_parameters_metrics_tags_and_the_report(address, make_report, tmp_path) -> None:
    from mlflow import MlflowClient

    data = make_report()
    client = MlflowClient(tracking_uri=address)
    run = client.get_run(sent(address, data, tmp_path))
    assert run.info.status == "FINISHED"
    assert run.data.params["trainer.epochs"] == "5"
    assert len(run.data.params["trainer.note"]) == 6000
    assert run.data.metrics["test/mean_iou"] == data.evaluation.candidate.overall.mean_iou.value
    assert run.data.tags["segpipe.version"] == "3"
    epochs = data.trainings[0].epochs
    history = client.get_metric_history(run.info.run_id, "val_mean_iou")
    assert {point.step: point.value for point in history} == {e.epoch: e.metrics["val_mean_iou"] for e in epochs}
    assert [file.path for file in client.list_artifacts(run.info.run_id)] == ["report.html"]
    assert client.get_experiment(run.info.experiment_id).name == "sample"


def test_the_model_of_a_pushed_version_is_registered_and_marked_as_served(address, make_report, tmp_path) -> None:
    from mlflow import MlflowClient

    run_id = sent(address, make_report(), tmp_path, registered_model="footprints", experiment="other")
    version = MlflowClient(tracking_uri=address).get_model_version_by_alias("footprints", "served")
    assert (version.run_id, version.tags) == (run_id, {"segpipe.version": "3"})


def test_a_model_that_was_not_pushed_is_not_registered(address, make_report, tmp_path) -> None:
    from mlflow import MlflowClient

    sent(address, make_report(push=None), tmp_path, registered_model="unpushed")
    assert not MlflowClient(tracking_uri=address).search_registered_models("name = 'unpushed'")
