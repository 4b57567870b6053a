"""`segpipe predict` on a GeoTIFF of 12 000 × 12 000 pixels, in bounded memory."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.windows import Window

from tests.support.memory import peak_memory
from tests.support.scenes import CRS, TRANSFORM, blocky_image, scene_registry

SIDE = 12_000
LIMIT_BYTES = 1_500_000_000
_ROWS = 256


def write_large_scene(path: Path, bands: int, depth: str, side: int) -> None:
    """Repeats rows of blocks; the last 100 columns have no data."""
    highest = 255 if depth == "uint8" else 1000
    rows_CHW = np.maximum(blocky_image(bands, _ROWS, side, depth, highest), 1)
    rows_CHW[..., -100:] = 0
    profile = {"height": side, "width": side, "count": bands, "dtype": depth, "crs": CRS, "transform": TRANSFORM}
    blocks = {"tiled": True, "blockxsize": 256, "blockysize": 256, "nodata": 0, "photometric": "MINISBLACK"}
    with rasterio.open(path, "w", driver="GTiff", **profile, **blocks) as dataset:
        for top in range(0, side, _ROWS):
            height = min(_ROWS, side - top)
            dataset.write(rows_CHW[:, :height], window=Window(0, top, side, height))


@pytest.mark.slow
@pytest.mark.parametrize(("bands", "depth"), [(3, None), (4, "uint16")], ids=["RGB", "4 bands of 16 bits"])
def test_it_takes_less_than_1500_megabytes(tmp_path: Path, bands: int, depth: str | None) -> None:
    registry = scene_registry(tmp_path, (256, 256), "picture", depth, overlap=0.0, batch=8)
    write_large_scene(tmp_path / "scene.tif", bands, depth or "uint8", SIDE)
    command = [sys.executable, "-m", "pipeline.cli.main", "predict", str(tmp_path / "scene.tif")]
    options = ["--registry", registry.uri, "--out", str(tmp_path / "out")]
    peak = 0
    with (tmp_path / "said.txt").open("wb") as said:
        process = subprocess.Popen([*command, *options], stdout=said, stderr=said)
        while process.poll() is None:
            with contextlib.suppress(ValueError):  # A process that has just ended has no memory.
                peak = max(peak, peak_memory(process.pid))
            time.sleep(0.1)
    assert process.returncode == 0, (tmp_path / "said.txt").read_text()
    print(f"peak {peak / 1e9:.2f} GB")
    assert 0 < peak < LIMIT_BYTES
    with rasterio.open(tmp_path / "out" / "scene.mask.tif") as mask:
        assert (mask.shape, mask.transform, mask.crs) == ((SIDE, SIDE), TRANSFORM, rasterio.crs.CRS.from_string(CRS))
        last = mask.read(1, window=Window(SIDE - 200, SIDE - 10, 200, 10))
    assert (last[:, 100:] == 255).all() and (last[:, :100] < 3).all()
