"""From drift in what is served to the next version: server, request log and monitor here, and the run that the monitor
starts on emulated Kubeflow Pipelines.

Real: the server's process, its log, the monitor's command, and its client of the pipelines' API with the models of
`kfp_server_api`.  Written by hand after KFP's sources: the API server (`tests/support/kfp_api.py`), and driver and
launcher, which run what was uploaded, a pod a step (`tests/kubeflow/emulator.py`).
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from pipeline.cli.main import cli
from registry.store import Registry
from serving.request_log.folder import LogFolder
from serving.request_log.reading import newest_rows
from tests.kubeflow.emulator import Backend
from tests.kubeflow.pods import isolation
from tests.kubeflow.store import COMPLETE
from tests.kubeflow.workflow import PipelineRun
from tests.support import kfp_api
from tests.support.kfp_api import KfpApi
from tests.support.serving import Served, wait_until
from tests.support.tiny import segpipe, write_data, write_use_case

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(isolation() is None, reason="pods need mount namespaces, or a / that can be written"),
]

WINDOW = 60
BRIGHTER = 90
ON_CLUSTER = (
    "workspace=null",
    "data.source.root=data",
    "registry=registry",
    "trainer.warm_start=blessed",
    "trainer.epochs=4",
    "report.scored=0",
    "evaluator.thresholds=[{metric: mean_iou, at_least: 0.2}]",
    "kubeflow.image=segpipe:1",
    "kubeflow.steps={default: {retries: 0}}",
)
Monitor = Callable[[], str]


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """The cluster's volume, whose registry serves version 1 of the use case."""
    folder = tmp_path / "volume"
    folder.mkdir()
    config = write_use_case(folder)
    assert segpipe("schema", "infer", config).returncode == 0
    ran = segpipe("run", config, "--set", f"registry={folder}/registry")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return folder


@pytest.fixture
def served(volume: Path) -> Iterator[Served]:
    log = ("--log", volume / "requests", "--log-seconds", "0.2")
    with Served(str(volume / "registry"), *log, "--engine", "embedded") as process:
        yield process


@pytest.fixture
def api() -> Iterator[KfpApi]:
    with kfp_api.serving() as server:
        yield server


@pytest.fixture
def monitor(volume: Path, api: KfpApi) -> Monitor:
    """Looks at the log once, as the CronJob does."""
    words = ["monitor", str(volume / "registry"), "--log", str(volume / "requests"), "--window", str(WINDOW)]
    words += ["--once", "--exit-zero", "--delay", "0", "--textfile", str(volume / "monitor.prom")]
    words += ["--retrain", str(volume / "tiny.yaml"), "--host", api.url]
    words += [word for override in ON_CLUSTER for word in ("--set", override)]

    def look() -> str:
        result = CliRunner().invoke(cli, words)
        assert result.exit_code == 0, result.output
        return result.output

    return look


def send_window(served: Served, volume: Path, seed: int, brighter: int = 0) -> None:
    """Sends a window of new images of the use case, and waits for its rows."""
    folder = volume / f"seen-{seed}"
    write_data(folder, pairs=WINDOW, seed=seed)
    images = sorted((folder / "images").iterdir())
    if brighter:
        brighten(images, brighter)
    before = count_rows(volume)
    for first in range(0, WINDOW, 20):
        served.predict(*(image.read_bytes() for image in images[first : first + 20]))
    wait_until(lambda: count_rows(volume) == before + WINDOW)


def brighten(images: list[Path], levels: int) -> None:
    """Adds grey levels to image files."""
    from PIL import Image

    for image in images:
        pixels_HWC = np.asarray(Image.open(image)).astype(int) + levels
        Image.fromarray(np.clip(pixels_HWC, 0, 255).astype(np.uint8)).save(image)


def count_rows(volume: Path) -> int:
    begin, end = (datetime.datetime(year, 1, 1, tzinfo=datetime.timezone.utc) for year in (2000, 2100))
    return len(newest_rows(LogFolder(str(volume / "requests")), 10_000, 1, begin, end))


def label_images_of_the_new_kind(volume: Path) -> None:
    """Adds what people have labelled in the meantime to the data."""
    index = volume / "data" / "index.csv"
    before = index.read_text()
    write_data(volume / "data", pairs=40, seed=9)
    brighten(sorted((volume / "data" / "images").glob("9-*")), BRIGHTER)
    index.write_text(before + index.read_text().partition("\n")[2])


def run_on_cluster(api: KfpApi, volume: Path, bucket: Path) -> PipelineRun:
    """Runs the one run that the API server was asked for: the pipeline that was uploaded, with the run's parameters."""
    (run,) = api.runs.values()
    version = api.versions[run["pipeline_version_reference"]["pipeline_version_id"]]
    documents = version["pipeline_spec"]
    compiled = yaml.safe_dump_all([documents["pipeline_spec"], documents["platform_spec"]])
    ended = Backend(bucket, claims={"segpipe": volume}).run(compiled, api.given[run["run_id"]])
    run["state"] = "SUCCEEDED" if ended.succeeded else "FAILED"
    return ended


def test_drift_starts_one_run_whose_version_is_served(
    volume: Path, served: Served, api: KfpApi, monitor: Monitor, tmp_path: Path
) -> None:
    for seed in (1, 2):
        send_window(served, volume, seed)
        assert "no drift" in monitor()
    send_window(served, volume, 3, BRIGHTER)
    assert "drifted: " in monitor()
    assert not api.runs, "one drifted window starts nothing"
    label_images_of_the_new_kind(volume)
    send_window(served, volume, 4, BRIGHTER)
    assert f"a run is started: {api.url}/#/runs/details/" in monitor()
    send_window(served, volume, 5, BRIGHTER)
    assert "no run is started: one was requested at" in monitor()

    ended = run_on_cluster(api, volume, tmp_path / "bucket")
    assert ended.succeeded, "\n".join(f"== {task.name}: {task.state}\n{task.log}" for task in ended.tasks.values())
    assert {"survey", "trainer", "segmentation-evaluator", "registry-pusher"} <= ended.in_state(COMPLETE)
    assert "weights from " in ended.tasks["trainer"].log
    registry = Registry(str(volume / "registry"))
    assert registry.served() == 2
    retraining = registry.latest_retraining()
    assert retraining is not None
    assert (retraining.version, retraining.error) == (1, None)
    wait_until(lambda: served.states().get(2) == "AVAILABLE")
    monitor()
    assert 'segpipe_run_failed{model="tiny"} 0.0' in (volume / "monitor.prom").read_text()
