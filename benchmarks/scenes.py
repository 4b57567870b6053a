"""Seconds and peak memory of `segpipe predict` on large GeoTIFFs.

    python -m benchmarks.scenes [--side 20000] [--tile 256] [--width 8] [--depth 2] [--overlap 0.25]

Made-up scenes: 8-bit RGB, and four bands of 16 bits.  The model is a U-Net with random weights, which do not change the
time, normalised by the scene's own statistics.  The command runs in a process of its own, whose peak of resident memory
is the system's figure (`VmHWM`); it starts no other process.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import rasterio
import tensorflow as tf
from rasterio.transform import from_origin
from rasterio.windows import Window

from common import records
from components.trainer.architectures import UNet
from components.trainer.export import export
from components.trainer.inference.config import InferenceConfig
from components.trainer.inference.model import ServedModel
from components.trainer.models import build_model
from components.transform import features
from components.transform.bands import Range
from components.transform.config import TransformConfig
from components.transform.image_ops import resize_image, to_bytes
from components.transform.pixel_format import PixelFormat
from components.transform.pixel_source import RGB_SOURCE, scaled_source
from registry.store import Registry

CLASSES = ("ground", "building", "tree")
NAMES = ["red", "green", "blue", "nir"]
_ROWS = 256
_SECONDS = 0.2  # Between two looks at the memory.


class Kind(NamedTuple):
    """A kind of scene."""

    name: str
    bands: int
    depth: str | None


KINDS = (Kind("8-bit RGB", 3, None), Kind("4 bands, 16 bits", 4, "uint16"))


def main() -> None:
    """Prints the table."""
    arguments = _arguments()
    print(f"{arguments.side}², U-Net {arguments.width}×{arguments.depth}, tiles of {arguments.tile}²,", end=" ")
    print(f"overlap {arguments.overlap}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print("scene              seconds  peak MB")
    for kind in KINDS:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as scratch:
            seconds, peak = _measured(kind, Path(scratch), arguments)
        print(f"{kind.name:<18} {seconds:7.0f}  {peak / 1e6:7.0f}", flush=True)


def _measured(kind: Kind, scratch: Path, arguments: argparse.Namespace) -> tuple[float, int]:
    _push_model(kind, scratch, arguments)
    _write_scene(kind, scratch / "scene.tif", arguments.side)
    command = [sys.executable, "-m", "pipeline.cli.main", "predict", str(scratch / "scene.tif")]
    began = time.monotonic()
    options = ["--registry", str(scratch / "registry"), "--out", str(scratch / "out")]
    peak = 0
    with (scratch / "said.txt").open("wb") as said:
        process = subprocess.Popen([*command, *options], stdout=said, stderr=said)
        while process.poll() is None:
            peak = max(peak, _peak_bytes(process.pid))
            time.sleep(_SECONDS)
    if process.returncode:
        sys.exit((scratch / "said.txt").read_text())
    return time.monotonic() - began, peak


def _peak_bytes(process: int) -> int:
    """The most memory that a process has held; 0 if it has just ended."""
    status = Path(f"/proc/{process}/status").read_text()
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def _write_scene(kind: Kind, path: Path, side: int) -> None:
    depth = kind.depth or "uint8"
    rows_CHW = np.random.default_rng(0).integers(0, 200, [kind.bands, _ROWS, side]).astype(depth)
    profile = {"height": side, "width": side, "count": kind.bands, "dtype": depth, "crs": "EPSG:32633"}
    settings = {"tiled": True, "transform": from_origin(500_000, 5_200_000, 0.5, 0.5), "photometric": "MINISBLACK"}
    with rasterio.open(path, "w", driver="GTiff", bigtiff="IF_SAFER", **profile, **settings) as dataset:
        for top in range(0, side, _ROWS):
            height = min(_ROWS, side - top)
            dataset.write(rows_CHW[:, :height], window=Window(0, top, side, height))


def _push_model(kind: Kind, scratch: Path, arguments: argparse.Namespace) -> None:
    transform = TransformConfig(height=arguments.tile, width=arguments.tile, normalize="picture")
    inference = InferenceConfig(mode="tile", overlap=arguments.overlap)
    source = RGB_SOURCE
    if kind.depth:
        limits = Range(tf.zeros([kind.bands]), tf.fill([kind.bands], 200.0))
        source = scaled_source(PixelFormat(kind.bands, kind.depth), limits)
    unet = UNet(width=arguments.width, depth=arguments.depth)
    zeros, ones = np.zeros(kind.bands), np.ones(kind.bands)
    network = build_model(unet, transform, len(CLASSES), zeros, ones)

    def layer(parsed: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        resized = lambda one: to_bytes(resize_image(source.decode(one), arguments.tile, arguments.tile, "stretch"))  # noqa: E731
        return {features.IMAGE: tf.map_fn(resized, parsed[records.IMAGE_ENCODED])}

    served = ServedModel([network], layer, transform, CLASSES, 25_000_000, inference, source)
    export(served, str(scratch / "export"))
    bands = {"bands": {"names": NAMES, "depth": kind.depth}} if kind.depth else {}
    config = {
        "data": {"source": {"type": "folders", "root": "data"}, "classes": list(CLASSES)} | bands,
        "trainer": {"inference": inference.model_dump(mode="json")},
    }
    registry = Registry(str(scratch / "registry"))
    manifest, _ = registry.push(
        str(scratch / "export"),
        model_name="scenes",
        data_fingerprint="0" * 64,
        baseline_version=None,
        metrics={},
        config=config,
        software={},
    )
    registry.serve(manifest.version)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=20_000)
    parser.add_argument("--tile", type=int, default=256)
    parser.add_argument("--width", type=int, default=8)
    parser.add_argument("--depth", type=int, default=2)
    parser.add_argument("--overlap", type=float, default=0.25)
    parser.add_argument("--folder", default=None, help="where the scenes are written")
    return parser.parse_args()


if __name__ == "__main__":
    main()
