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
from PIL import Image

Exporter = Callable[..., Any]

SIDE = 5000
LIMIT_MEGABYTES = 600
SCRIPT = """
import sys
import tensorflow as tf

def peak():  # getrusage would also count the process that started this one.
    lines = open("/proc/self/status")
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))

signature, count, folder, *paths = sys.argv[1:]
serve = tf.saved_model.load(folder).signatures[signature]
small, large = (int(count) * [open(path, "rb").read()] for path in paths)
serve(image=tf.constant(small))
before = peak()
serve(image=tf.constant(large))
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


def megabytes(folder: Path, signature: str, count: int, tmp_path: Path) -> int:
    """By how much a process grows that has answered `count` small pictures and is given as many at the limit."""
    paths = []
    for side in (40, SIDE):
        paths.append(tmp_path / f"{side}.jpg")
        paths[-1].write_bytes(turned(side))
    command = [sys.executable, "-c", SCRIPT, signature, str(count), str(folder), *map(str, paths)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.slow
@pytest.mark.parametrize("settings", WAYS)
@pytest.mark.parametrize(("signature", "count"), [("serving_default", 1), ("serving_default", 4), ("serving_each", 4)])
def test_pictures_of_25_megapixels_take_less_than_600_megabytes_however_many_there_are(
    exported: Exporter, settings: dict[str, Any], signature: str, count: int, tmp_path: Path
) -> None:
    model = exported(max_pixels=SIDE**2, saved=True, **settings)
    assert megabytes(model.folder, signature, count, tmp_path) < LIMIT_MEGABYTES
