"""From traffic to a run: a real server with a request log, the monitor's command, and what drift starts."""

from __future__ import annotations

import base64
import datetime
import io
import json
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner, Result
from PIL import Image, ImageFilter

from common import records
from components.evaluator.reference_sample import Sample
from pipeline.cli.main import cli
from pipeline.cli.monitor_command import DRIFT
from registry.store import Registry
from segpipe_client import SegmentationClient
from serving.request_log.folder import LogFolder
from serving.request_log.reading import newest_rows
from tests.support.mask_model import CLASSES, mask_registry
from tests.support.measured_reference import measured_reference
from tests.support.serving import MODEL, Hosted, Served, wait_until

WINDOW, KNOWN = 100, 200


def scene(
    random: np.random.Generator,
    brighter: float = 0,
    mix: tuple[float, float] = (2, 3),
    size: tuple[int, int] = (32, 48),
    cast: tuple[float, float, float] = (1, 1, 1),
    blur: float = 0,
    grain: float = 0,
) -> bytes:
    """A made-up picture: the share of bright pixels, and the light, differ from picture to picture.

    Args:
        random: The generator.
        brighter: Grey levels that are added.
        mix: Parameters of the beta distribution of the share of bright pixels.
        size: Height and width.
        cast: Gain of red, green and blue.
        blur: Radius of the lens's blur, in pixels.
        grain: Standard deviation of the sensor's noise, in grey levels.
    """
    light = random.normal(100 + brighter, 15)
    image_HW = light + 60 * (random.random(size) < random.beta(*mix)) + random.normal(0, 5, size)
    image_HW3 = image_HW[..., None] * np.array(cast) + random.normal(0, grain, (*size, 3))
    image = Image.fromarray(np.clip(image_HW3, 0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(blur))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def write_records(path: Path, images: list[bytes]) -> str:
    with tf.io.TFRecordWriter(str(path)) as writer:
        for number, encoded in enumerate(images):
            features = {records.IMAGE_ID: str(number).encode(), records.IMAGE_ENCODED: encoded}
            named = {
                key: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value])) for key, value in features.items()
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=named)).SerializeToString())
    return str(path)


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """A registry whose version has the reference distribution of a test split, as the evaluator makes it."""
    folder = tmp_path_factory.mktemp("known")
    registry = mask_registry(folder / "registry")
    random = np.random.default_rng(0)
    pattern = write_records(folder / "test", [scene(random) for _ in range(KNOWN)])
    sample = Sample("test", CLASSES, images=KNOWN, batch_size=16)
    reference = measured_reference(registry.version_location(1), [pattern], sample, folder / "reference")
    assert reference is not None
    registry.write_reference(1, reference.model_dump_json())
    return registry


@pytest.fixture
def served(known: Registry, tmp_path: Path) -> Iterator[Served]:
    shutil.copytree(known.uri, tmp_path / "registry")
    options = ("--log", tmp_path / "log", "--log-seconds", "0.2", "--engine", "embedded")
    with Served(str(tmp_path / "registry"), *options) as process:
        yield process


def send(served: Served, random: np.random.Generator, images: int, **shift: object) -> None:
    for _ in range(0, images, 20):
        served.predict(*(scene(random, **shift) for _ in range(20)))  # type: ignore[arg-type]


def wait_for_rows(log: Path, images: int) -> None:
    begin, end = (datetime.datetime(year, 1, 1, tzinfo=datetime.timezone.utc) for year in (2000, 2100))
    wait_until(lambda: len(newest_rows(LogFolder(str(log)), 10_000, 1, begin, end)) >= images, 30)


def monitor(folder: Path, *options: str) -> Result:
    words = ["monitor", str(folder / "registry"), "--log", str(folder / "log"), "--once", "--delay", "0"]
    words += ["--window", str(WINDOW), "--out", str(folder / "drift.json"), *options]
    return CliRunner().invoke(cli, words)


def states(folder: Path) -> list[str]:
    return [window["state"] for window in json.loads((folder / "drift.json").read_text())["windows"]]


def test_every_answer_has_a_row_and_none_is_lost_at_sigterm(served: Served, tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    for _ in range(3):
        served.predict(scene(random), scene(random))
    status, _ = served.predict_json(b"text")
    assert status == 400
    for address in (f"v2+{served.http}/v2/models/{MODEL}", f"v2+grpc://{served.grpc}/v2/models/{MODEL}"):
        with SegmentationClient(address) as client:
            client.predict(scene(random))
    job = json.dumps({"instances": [{"b64": base64.b64encode(scene(random)).decode()}]}).encode()
    status, _ = served.post(f"/v1/models/{MODEL}:predictBatch", job)
    assert status in (200, 202)
    wait_for_rows(tmp_path / "log", 10)
    served.predict(scene(random))
    _, body = served.get("/monitoring/prometheus/metrics")
    assert b'segpipe_request_log_dropped_total{reason="queue_full"} 0.0' in body
    assert served.end() == 0
    wait_for_rows(tmp_path / "log", 11)
    assert "Traceback" not in served.log
    assert "request_log_incomplete" not in served.log


class Hanging(LogFolder):
    """A bucket that does not answer."""

    go_on = threading.Event()

    def write(self, path: str, data: bytes) -> None:
        self.go_on.wait(60)


def test_a_bucket_that_does_not_answer_slows_no_request_and_no_shutdown(
    known: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.request_log.writer.LogFolder", Hanging)
    log = {"uri": str(tmp_path / "log"), "rows": 1, "queue": 3}
    random = np.random.default_rng(4)
    with Hosted(known, request_log=log, grace_seconds=0.1) as hosted:
        hosted.predict(scene(random))
        began = time.monotonic()
        for _ in range(20):
            hosted.predict(scene(random))
        spent = time.monotonic() - began
        _, body = hosted.get("/monitoring/prometheus/metrics")
        began = time.monotonic()
    stopped = time.monotonic() - began
    Hanging.go_on.set()
    assert spent < 10
    assert stopped < 10
    dropped = re.search(rb'segpipe_request_log_dropped_total\{reason="queue_full"\} (\S+)', body)
    assert dropped
    assert float(dropped[1]) >= 15


@pytest.mark.slow
def test_ten_windows_without_a_shift_raise_no_alarm(served: Served, tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    found = []
    for number in range(10):
        send(served, random, WINDOW)
        wait_for_rows(tmp_path / "log", WINDOW * (number + 1))
        result = monitor(tmp_path)
        found.append((result.exit_code, states(tmp_path)[-1]))
    assert found == [(0, "no drift")] * 10


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shift", "feature"),
    [
        pytest.param({"brighter": 25}, "brightness", id="light"),
        pytest.param({"mix": (5, 2)}, "class_fraction/bright", id="class mix"),
        pytest.param({"size": (48, 64)}, "height", id="camera of another resolution"),
        pytest.param({"cast": (1, 0.85, 0.6)}, "brightness", id="camera with a colour cast"),
        pytest.param({"blur": 1.5}, "contrast", id="camera with a blurred lens"),
        pytest.param({"grain": 25}, "contrast", id="camera with a noisy sensor"),
    ],
)
def test_a_planted_shift_is_found_in_its_first_window_and_starts_one_run(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shift: dict[str, object], feature: str
) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(subprocess, "Popen", lambda command, **_: started.append(command))
    random = np.random.default_rng(3)
    config = sample_config(tmp_path)
    options = ("--retrain", str(config), "--textfile", str(tmp_path / "drift.prom"), "--page", str(tmp_path / "d.html"))
    send(served, random, WINDOW)
    wait_for_rows(tmp_path / "log", WINDOW)
    assert monitor(tmp_path, *options).exit_code == 0
    for number in range(1, 4):
        send(served, random, WINDOW, **shift)
        wait_for_rows(tmp_path / "log", WINDOW * (number + 1))
        result = monitor(tmp_path, *options)
        assert result.exit_code == DRIFT, result.output
        newest = json.loads((tmp_path / "drift.json").read_text())["windows"][-1]
        assert feature in {each["name"] for each in newest["features"] if each["drifted"]}
        assert len(started) == (0 if number == 1 else 1), "two windows in a row start one run, a third none"
    assert started[0][:5] == [sys.executable, "-m", "pipeline.cli.main", "run", str(config)]
    assert f'segpipe_monitor_drift{{model="{MODEL}",version="1"}} 1.0' in (tmp_path / "drift.prom").read_text()
    assert f"drifted: {feature}" in (tmp_path / "d.html").read_text() or feature in (tmp_path / "d.html").read_text()


def sample_config(folder: Path) -> Path:
    """The sample's configuration under the name of the model that is served."""
    text = Path("pipeline/configs/sample.yaml").read_text()
    path = folder / "tiny.yaml"
    path.write_text(text.replace("name: sample", f"name: {MODEL}\nworkspace: {folder}/runs", 1))
    return path
