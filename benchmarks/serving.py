"""The embedded server beside the bare SavedModel call, and beside arrays of floats as JSON.

    python -m benchmarks.serving [--registry URI] [--sides 256 1024] [--clients 1 4 16] [--seconds 5]

bare        the signature of `tf.saved_model.load`, called in this process by as many threads: the limit
grpc, rest  `segpipe serve` in a second process, asked by a third (`benchmarks.serving_load`): JPEG in, PNG mask out
v2grpc,     the same over the Open Inference Protocol, with raw bytes in both directions
v2rest
floats      the way without encoded bytes: a picture's pixels as a JSON list to a small server (aiohttp, orjson) with a
            network of the same kind, and its probabilities at the picture's size as a JSON list back

Ways take turns, side by side and client by client.  Without a registry the model is the sample's U-Net with random
weights, which do not change the time; requests are one picture each.  `of bare` is the ratio of the medians.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import orjson
import tensorflow as tf
from aiohttp import web

from benchmarks.inference import picture, transform_layer
from common.compatibility import skip_autograph_for_keras
from components.trainer.architectures import UNet
from components.trainer.export import export
from components.trainer.inference.model import ServedModel
from components.trainer.models import build_model
from components.transform.config import TransformConfig
from registry.store import Registry
from segpipe_client.address import parse_address
from segpipe_client.documents import request_json
from segpipe_client.messages import request_bytes
from segpipe_client.v2_calls import V2GrpcCalls
from segpipe_client.v2_documents import infer_request

TILE, NAMES = 96, ("background", "red", "yellow", "blue")
CLASSES = len(NAMES)
FLOAT_LIMIT = 1 << 30


class Measured(NamedTuple):
    """What one way took under one load."""

    milliseconds: list[float]
    seconds: float
    sent_bytes: int
    answer_bytes: int


class Target(NamedTuple):
    """A server, and how it is asked: the body, and the options of `benchmarks.serving_load` that go with it."""

    protocol: str
    address: str
    body: Callable[[bytes], bytes]
    options: Callable[[bytes], list[str]] = lambda _: []


def main() -> None:
    """Prints the table."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as folder:
        registry = Registry(arguments.registry or _make_registry(Path(folder) / "registry"))
        served = registry.served()
        assert served is not None
        name = registry.manifest(served).model_name
        registry.fetch(served, f"{folder}/model")
        bare = tf.saved_model.load(f"{folder}/model").signatures["serving_default"]
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
        print("side  way     clients  requests/s  p50 ms  p99 ms  of bare   kB sent  kB answered")
        with _segpipe_serve(registry.uri) as (http, grpc), _float_server() as floats:
            targets = {
                "grpc": Target("grpc", grpc, lambda encoded: request_bytes(encoded, name, None, None)),
                "rest": Target("http", f"{http}/v1/models/{name}:predict", request_json),
                "v2grpc": _v2_grpc(grpc, name),
                "v2rest": Target(
                    "http",
                    f"{http}/v2/models/{name}/infer",
                    lambda encoded: infer_request(encoded)[0],
                    lambda encoded: ["--headers", json.dumps(infer_request(encoded)[1])],
                ),
                "floats": Target("http", floats, _float_body),
            }
            for side in arguments.sides:
                for clients in arguments.clients:
                    _compare(side, clients, arguments.seconds, bare, targets, Path(folder))


def _v2_grpc(address: str, name: str) -> Target:
    calls = V2GrpcCalls(parse_address(f"v2+grpc://{address}/v2/models/{name}"))
    return Target(
        "grpc",
        address,
        lambda encoded: calls.predict(encoded).request,
        lambda _: ["--method", calls.predict(b"").method],
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--registry", help="the model to serve, instead of one with random weights")
    parser.add_argument("--sides", type=int, nargs="+", default=[256, 1024], help="sides of the square pictures")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4, 16], help="requests at a time")
    parser.add_argument("--seconds", type=float, default=5, help="time for each row")
    return parser.parse_args()


def _compare(
    side: int, clients: int, seconds: float, bare: Callable[..., object], targets: dict[str, Target], folder: Path
) -> None:
    encoded = picture(side)
    limit = _bare(bare, encoded, clients, seconds)
    _print_row(side, "bare", clients, limit, limit)
    for way, target in targets.items():
        body = folder / "body"
        body.write_bytes(target.body(encoded))
        command = [sys.executable, "-m", "benchmarks.serving_load", target.protocol, target.address, str(body)]
        command += ["--clients", str(clients), "--seconds", str(seconds), *target.options(encoded)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        _print_row(side, way, clients, Measured(**json.loads(done.stdout)), limit)


def _print_row(side: int, way: str, clients: int, measured: Measured, limit: Measured) -> None:
    times = sorted(measured.milliseconds)
    median, p99 = statistics.median(times), times[min(len(times) - 1, int(0.99 * len(times)))]
    print(
        f"{side:4}  {way:6}  {clients:7}  {len(times) / measured.seconds:10.1f}  {median:6.1f}  {p99:6.1f}  "
        f"{median / statistics.median(limit.milliseconds):7.2f}  {measured.sent_bytes / 1000:8.1f}  "
        f"{measured.answer_bytes / 1000:11.1f}",
        flush=True,
    )


def _bare(call: Callable[..., object], encoded: bytes, clients: int, seconds: float) -> Measured:
    taken: list[float] = []
    for _ in range(3):
        call(image=tf.constant([encoded]))
    start = time.perf_counter()

    def ask() -> None:
        while (began := time.perf_counter()) < start + seconds:
            {name: value.numpy() for name, value in call(image=tf.constant([encoded])).items()}  # type: ignore[attr-defined]
            taken.append(1000 * (time.perf_counter() - began))

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Measured(taken, time.perf_counter() - start, 0, 0)


def _make_registry(folder: Path) -> str:
    skip_autograph_for_keras()
    transform = TransformConfig(height=TILE, width=TILE)
    network = build_model(UNet(width=16, depth=3), transform, CLASSES, np.full(3, 120.0), np.full(3, 60.0))
    with tempfile.TemporaryDirectory() as model:
        export(ServedModel([network], transform_layer(transform), transform, NAMES, 100_000_000), model)
        registry = Registry(str(folder))
        manifest, _ = registry.push(
            model,
            model_name="unet",
            data_fingerprint="",
            baseline_version=None,
            metrics={},
            config={},
            software={},
        )
    registry.serve(manifest.version)
    return registry.uri


@contextmanager
def _segpipe_serve(registry: str) -> Iterator[tuple[str, str]]:
    """Addresses of HTTP and gRPC."""
    command = [sys.executable, "-m", "pipeline.cli.main", "serve", "--engine", "embedded", "--registry", registry]
    command += ["--port", "0", "--grpc-port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        http, grpc = "", ""
        for line in process.stderr:
            if found := re.search(r"listening http=(\S+) grpc=(\S+)", line):
                http, grpc = f"http://{found[1]}", found[2]
            if "labels_moved" in line:
                break
        try:
            yield http, grpc
        finally:
            process.terminate()


@contextmanager
def _float_server() -> Iterator[str]:
    """Where arrays of floats are answered, by a process of its own."""
    with subprocess.Popen(
        [sys.executable, "-c", "from benchmarks.serving import serve_floats; serve_floats()"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def serve_floats() -> None:
    """Answers `{"instances": [H, W, 3]}` with probabilities [H, W, C]; prints its address first."""
    transform = TransformConfig(height=TILE, width=TILE)
    network = build_model(UNet(width=16, depth=3), transform, CLASSES, np.full(3, 120.0), np.full(3, 60.0))
    skip_autograph_for_keras()

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32)])
    def probabilities(image_BHWC: tf.Tensor) -> tf.Tensor:
        logits_BHWC = network(tf.image.resize(image_BHWC, [TILE, TILE]), training=False)
        return tf.image.resize(tf.nn.softmax(logits_BHWC), tf.shape(image_BHWC)[1:3])

    def answer(body: bytes) -> bytes:
        image_BHWC = np.array(orjson.loads(body)["instances"], np.float32)
        return orjson.dumps({"predictions": probabilities(image_BHWC).numpy()}, option=orjson.OPT_SERIALIZE_NUMPY)

    async def predict(request: web.Request) -> web.Response:
        return web.Response(body=await asyncio.to_thread(answer, await request.read()))

    async def run() -> None:
        app = web.Application(client_max_size=FLOAT_LIMIT)
        app.router.add_post("/", predict)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        print(f"http://127.0.0.1:{runner.addresses[0][1]}/", flush=True)
        await asyncio.Event().wait()

    asyncio.run(run())


def _float_body(encoded: bytes) -> bytes:
    pixels_HWC = tf.io.decode_jpeg(encoded).numpy().astype(np.float32) / 255
    return orjson.dumps({"instances": pixels_HWC[np.newaxis]}, option=orjson.OPT_SERIALIZE_NUMPY)


if __name__ == "__main__":
    main()
