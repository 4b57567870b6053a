"""What a picture at the limit costs in memory, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

SIDE = 5000
LIMIT_MEGABYTES = 600
SCRIPT = """
import sys
import tensorflow as tf

def peak():  # getrusage would also count the process that started this one.
    lines = open("/proc/self/status")
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))

serve = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
small, large = (tf.constant([open(path, "rb").read()]) for path in sys.argv[2:])
serve(image=small)
before = peak()
serve(image=large)
print(peak() - before)
"""


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{"mode": "resize"}, {"mode": "tile", "overlap": 0.0, "batch": 64}])
def test_a_picture_of_25_megapixels_takes_less_than_600_megabytes(exported, settings: dict, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    model = exported(max_pixels=SIDE**2, saved=True, **settings)
    paths = []
    for side in (40, SIDE):
        image_HWC = np.random.default_rng(0).integers(0, 256, [side // 20, side // 20, 3]).astype(np.uint8)
        paths.append(tmp_path / f"{side}.jpg")
        paths[-1].write_bytes(tf.io.encode_jpeg(image_HWC.repeat(20, 0).repeat(20, 1)).numpy())
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, model.folder, *map(str, paths)], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < LIMIT_MEGABYTES
