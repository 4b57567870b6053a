"""What pictures at the limit cost in memory, in a process of its own."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from common import records
from tests.support.transformed import NUM_CLASSES, png

Exporter = Callable[..., Any]

SIDE = 5000
LIMIT_MEGABYTES = 600
FURTHER_MEGABYTES = 150
"""A copy of the confidence, chunks, and the encoded mask."""
SCRIPT = """
import sys
import tensorflow as tf

def peak():  # getrusage would also count the process that started this one.
    lines = open("/proc/self/status")
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))

signature, argument, count, folder, *paths = sys.argv[1:]
serve = tf.saved_model.load(folder).signatures[signature]
small, large = (int(count) * [open(path, "rb").read()] for path in paths)
serve(**{argument: tf.constant(small)})
before = peak()
serve(**{argument: tf.constant(large)})
print(peak() - before)
"""


WAYS = [{"mode": "resize"}, {"mode": "tile", "overlap": 0.0, "batch": 64}]


def turned(side: int) -> bytes:
    """A photograph that stands on its side, as phones write them: it has to be decoded to be turned."""
    image_HWC = np.random.default_rng(0).integers(0, 256, [side // 20, side // 20, 3]).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    out = io.BytesIO()
    Image.fromarray(image_HWC.repeat(20, 0).repeat(20, 1)).save(out, "JPEG", exif=exif)
    return out.getvalue()


def record(side: int) -> bytes:
    """A record of a picture and its mask."""
    pixels_HW = np.random.default_rng(0).integers(0, NUM_CLASSES, [side // 20, side // 20]).astype(np.uint8)
    mask_HW = pixels_HW.repeat(20, 0).repeat(20, 1)
    files = {records.IMAGE_ENCODED: png(np.stack([100 * mask_HW] * 3, axis=-1)), records.MASK_ENCODED: png(mask_HW)}
    feature = {name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[file])) for name, file in files.items()}
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


def megabytes(folder: Path, signature: str, count: int, tmp_path: Path, made: Callable[[int], bytes] = turned) -> int:
    """By how much a process grows that has answered `count` small inputs and is given as many at the limit."""
    paths = []
    for side in (40, SIDE):
        paths.append(tmp_path / str(side))
        paths[-1].write_bytes(made(side))
    argument = "image" if made is turned else "examples"
    command = [sys.executable, "-c", SCRIPT, signature, argument, str(count), str(folder), *map(str, paths)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.slow
@pytest.mark.parametrize("settings", WAYS)
@pytest.mark.parametrize(("signature", "count"), [("serving_default", 1), ("serving_default", 4), ("serving_each", 4)])
def test_pictures_of_25_megapixels_take_less_than_600_megabytes_however_many_there_are(
    exported: Exporter, settings: dict[str, Any], signature: str, count: int, tmp_path: Path
) -> None:
    model = exported(max_pixels=SIDE**2, saved=True, **settings)
    assert megabytes(model.folder, signature, count, tmp_path) < LIMIT_MEGABYTES


@pytest.mark.slow
@pytest.mark.parametrize("settings", WAYS)
def test_masks_and_reliability_of_25_megapixels_take_hardly_more_memory_than_counts(
    exported: Exporter, settings: dict[str, Any], tmp_path: Path
) -> None:
    folder = exported(max_pixels=SIDE**2, saved=True, **settings).folder
    counts, masks = (megabytes(folder, name, 1, tmp_path, record) for name in ("evaluate", "evaluate_masks"))
    print(f"evaluate {counts} MB, evaluate_masks {masks} MB")
    assert masks < counts + FURTHER_MEGABYTES
