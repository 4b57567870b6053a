"""A registry of tiny models, and servers of it in processes of their own."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from PIL import Image
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import predict_pb2
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from registry.store import Registry

CLASS_NAMES = ("ground", "roof", "tree", "wäter")
CLASSES = len(CLASS_NAMES)
TILE = 32
MAX_PIXELS = 4_000_000
MODEL = "tiny"
needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl on the PATH")
OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
BIRTH: dict[str, Any] = {
    "model_name": MODEL,
    "data_fingerprint": "d" * 64,
    "baseline_version": None,
    "metrics": {},
    "config": {},
    "software": {},
}


def export_tiny(label: int, folder: str, mode: str = "tile", max_pixels: int = MAX_PIXELS) -> None:
    """A model that finds the class `label` in every pixel of every picture; tile by tile large pictures take long."""
    import tf_keras as keras

    image = keras.Input([TILE, TILE, 3])
    head = keras.layers.Conv2D(CLASSES, 3, padding="same", bias_initializer=_favouring(label))
    export_network(keras.Model(image, head(keras.layers.Rescaling(1 / 255)(image))), folder, mode, max_pixels)


def export_network(network: Any, folder: str, mode: str, max_pixels: int = MAX_PIXELS) -> None:
    """A network for pictures of TILE × TILE, exported as the Trainer does; `mode` is `tile` or `resize`."""
    import tensorflow as tf

    from common import records
    from components.trainer.export import export
    from components.trainer.inference.config import InferenceConfig
    from components.trainer.inference.model import ServedModel
    from components.transform import features
    from components.transform.config import TransformConfig
    from components.transform.image_ops import decode_image, resize_image, to_bytes

    def image_to_model(encoded: tf.Tensor) -> tf.Tensor:
        return to_bytes(resize_image(decode_image(encoded), TILE, TILE, "stretch"))

    def transform_layer(parsed: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return {features.IMAGE: tf.map_fn(image_to_model, parsed[records.IMAGE_ENCODED])}

    inference = InferenceConfig.model_validate({"mode": mode, "batch": 1})
    transform = TransformConfig(height=TILE, width=TILE)
    export(ServedModel([network], transform_layer, transform, CLASS_NAMES, max_pixels, inference), folder)


def export_bands(bands: int, folder: str) -> None:
    """A model for images of `bands` bands of 16 bits; it finds class 1 where the last band is above a half, else 0."""
    import tensorflow as tf
    import tf_keras as keras

    from common import records
    from components.trainer.export import export
    from components.trainer.inference.model import ServedModel
    from components.transform import features
    from components.transform.bands import Range
    from components.transform.config import TransformConfig
    from components.transform.image_ops import resize_image, to_bytes
    from components.transform.pixel_format import PixelFormat
    from components.transform.pixel_source import scaled_source

    limits = Range(np.zeros(bands, np.float32), np.full(bands, 65535, np.float32))
    source = scaled_source(PixelFormat(bands, "uint16"), limits)
    image = keras.Input([TILE, TILE, bands])
    is_bright = keras.layers.Lambda(lambda image_BHWC: image_BHWC[..., -1:] - 127.5)(image)
    scores = keras.layers.Concatenate()([-is_bright, is_bright, *[-1000 + 0 * is_bright] * (CLASSES - 2)])

    def transform_layer(parsed: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        def to_model(encoded: tf.Tensor) -> tf.Tensor:
            return to_bytes(resize_image(source.decode(encoded), TILE, TILE, "stretch"))

        return {features.IMAGE: tf.map_fn(to_model, parsed[records.IMAGE_ENCODED], fn_output_signature=tf.string)}

    network, transform = keras.Model(image, scores), TransformConfig(height=TILE, width=TILE, normalize="none")
    export(ServedModel([network], transform_layer, transform, CLASS_NAMES, MAX_PIXELS, source=source), folder)


def trainer_settings(mode: str) -> str:
    """What the Trainer is told that exports as `export_network` does, as JSON."""
    from components.trainer.config import TrainerConfig
    from components.transform.config import TransformConfig

    trainer = TrainerConfig.model_validate({"max_pixels": MAX_PIXELS, "inference": {"mode": mode}})
    transform = TransformConfig(height=TILE, width=TILE)
    return json.dumps(
        {"trainer": trainer.model_dump_json(), "transform": transform.model_dump_json(), "classes": CLASS_NAMES}
    )


def _favouring(label: int) -> Callable[..., Any]:
    import tensorflow as tf

    return lambda shape, dtype=None, **_: 50 * tf.one_hot(label, *shape, dtype=dtype)


def make_registry(folder: Path, labels: tuple[int, ...], **settings: Any) -> Registry:
    """A registry whose versions 1, 2, … find the classes `labels`; version 1 is served."""
    registry = Registry(str(folder))
    for label in labels:
        with tempfile.TemporaryDirectory() as scratch:
            export_tiny(label, scratch, **settings)
            registry.push(scratch, **BIRTH)
    registry.serve(1)
    return registry


def picture(height: int = 40, width: int = 56, kind: str = "PNG") -> bytes:
    """An encoded picture."""
    image_HWC = np.random.default_rng(0).integers(0, 256, [height // 8, width // 8, 3]).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(image_HWC).resize((width, height)).save(out, kind)
    return out.getvalue()


def classes_in(mask: bytes) -> set[int]:
    """The classes that a PNG mask holds."""
    return set(np.unique(np.asarray(Image.open(io.BytesIO(mask)))).tolist())


class Address:
    """Where a server answers, and how it is asked."""

    http: str
    grpc: str

    def get(self, path: str) -> tuple[int, bytes]:
        return self._send(urllib.request.Request(self.http + path))

    def post(self, path: str, body: bytes, method: str = "POST", **headers: str) -> tuple[int, bytes]:
        return self._send(urllib.request.Request(self.http + path, body, headers, method=method))

    def predict_json(self, *pictures: bytes, path: str = "") -> tuple[int, dict[str, Any]]:
        """Status and document of a prediction in the row format."""
        rows = [{"b64": base64.b64encode(encoded).decode()} for encoded in pictures]
        status, body = self.post(f"/v1/models/{MODEL}{path}:predict", json.dumps({"instances": rows}).encode())
        return status, json.loads(body)

    def predict(self, *pictures: bytes, seconds: float = 120, **spec: Any) -> predict_pb2.PredictResponse:
        """A prediction over gRPC, on a connection of its own."""
        with grpc.insecure_channel(self.grpc, OPTIONS) as channel:
            return PredictionServiceStub(channel).Predict(predict_request(*pictures, **spec), timeout=seconds)

    def states(self) -> dict[int, str]:
        """Version → name of its state."""
        status, body = self.get(f"/v1/models/{MODEL}")
        assert status == 200, body
        return {int(one["version"]): one["state"] for one in json.loads(body)["model_version_status"]}

    @staticmethod
    def _send(request: urllib.request.Request) -> tuple[int, bytes]:
        try:
            with urllib.request.urlopen(request, timeout=120) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()


def predict_request(
    *pictures: bytes, name: str = MODEL, signature: str = "", version: int | None = None, label: str | None = None
) -> predict_pb2.PredictRequest:
    """A request as an app makes it."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = name
    request.model_spec.signature_name = signature
    if version is not None:
        request.model_spec.version.value = version
    if label is not None:
        request.model_spec.version_label = label
    tensor = request.inputs["image"]
    tensor.dtype = types_pb2.DT_STRING
    tensor.tensor_shape.dim.add(size=len(pictures))
    tensor.string_val.extend(pictures)
    return request


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Returns once `condition` holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not in {seconds} s"
        time.sleep(0.02)


class Hosted(Address):
    """A server in this process, on a loop in a thread of its own."""

    def __init__(self, registry: Registry, until_ready: bool = True, **settings: Any) -> None:
        from serving.page import page_routes
        from serving.server import Server
        from serving.settings import ServerSettings

        settings = {"poll_seconds": 0.1, "grace_seconds": 5, "port": 0, "grpc_port": 0} | settings
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

        async def start() -> tuple[Server, tuple[int, int]]:
            server = Server(ServerSettings(registry=registry.uri, **settings), page_routes())
            return server, await server.start()

        self._server, ports = asyncio.run_coroutine_threadsafe(start(), self._loop).result(60)
        self.http, self.grpc = f"http://127.0.0.1:{ports[0]}", f"127.0.0.1:{ports[1]}"
        if until_ready:
            wait_until(lambda: self.get("/readyz")[0] == 200, 300)

    def __enter__(self) -> Hosted:
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._server.stop(), self._loop).result(60)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Served(Address):
    """A process that runs `segpipe serve` on free ports of this machine."""

    def __init__(
        self,
        registry: str,
        *options: object,
        until_ready: bool = True,
        program: Sequence[str] = ("-m", "pipeline.cli.main"),
    ) -> None:
        command = [sys.executable, *program, "serve", "--registry", registry, "--poll", "0.2"]
        command += ["--port", "0", "--grpc-port", "0", *map(str, options)]
        environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
        environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
        self.process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        ports = self.wait_for_log(r"listening http=\S+:(\d+) grpc=\S+:(\d+)")
        self.http = f"http://127.0.0.1:{ports[1]}"
        self.grpc = f"127.0.0.1:{ports[2]}"
        if until_ready:
            wait_until(lambda: self.get("/readyz")[0] == 200, 120)

    @property
    def log(self) -> str:
        return "".join(self._lines)

    def _read(self) -> None:
        assert self.process.stderr
        self._lines.extend(iter(self.process.stderr.readline, ""))

    def wait_for_log(self, pattern: str, seconds: float = 120) -> re.Match[str]:
        def is_there() -> bool:
            assert re.search(pattern, self.log) or self.process.poll() is None, f"it has ended; the log is:\n{self.log}"
            return re.search(pattern, self.log) is not None

        wait_until(is_there, seconds)
        found = re.search(pattern, self.log)
        assert found
        return found

    def __enter__(self) -> Served:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join(5)

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGTERM, seconds: float = 30) -> int:
        """Stops the process and returns its exit status."""
        if self.process.poll() is None:
            self.send(number)
        return self.process.wait(seconds)
