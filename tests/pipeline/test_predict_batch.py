"""`segpipe predict-batch`, run as a person would, interrupted, and on several workers."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from registry.store import Registry
from tests.support.scenes import blocky_image, scene_registry
from tests.support.tiny import ENVIRONMENT, command, segpipe

IMAGES = 240


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    return scene_registry(tmp_path_factory.mktemp("model"), mode="tile", batch=1)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of which some are damaged."""
    folder = tmp_path_factory.mktemp("photos")
    for number in range(IMAGES):
        image_HWC = np.moveaxis(blocky_image(3, 60 + number % 7, 90), 0, 2)
        Image.fromarray(image_HWC).save(folder / f"{number:03d}.png")
        if number % 60 == 7:
            (folder / f"{number:03d}.png").write_bytes(b"")
    return folder


def masks(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (out / "masks").rglob("*.png")}


@pytest.mark.slow
def test_it_goes_on_after_ctrl_c_and_two_workers_give_the_same_files(
    registry: Registry, photos: Path, tmp_path: Path
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    done = segpipe("predict-batch", registry.uri, photos, "--out", whole, "--set", "beam.workers=2")
    assert done.returncode == 3, done.stderr
    assert f"{IMAGES} images: {IMAGES - 4} predicted by version 1 of " in done.stdout
    assert "rejected: 007.png: picture refused: it is empty: 0 bytes" in done.stdout
    assert done.stderr == f"4 images are rejected; {whole}/rejected.jsonl says why\n"

    arguments = command("predict-batch", registry.uri, photos, "--out", parts, "--batch", "1")
    started = subprocess.Popen(arguments, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 500
    while len(list(parts.glob("masks/*.png"))) < 20:
        assert started.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    started.send_signal(signal.SIGINT)
    _, told = started.communicate(timeout=300)
    assert (started.returncode, told) == (130, "interrupted; run the same command again to resume\n")
    assert not (parts / "summary.json").exists()

    again = segpipe("predict-batch", registry.uri, photos, "--out", parts, "--batch", "1")
    assert again.returncode == 3, again.stderr
    found = re.search(r"(\d+) predicted by .*, (\d+) already there, 4 rejected", again.stdout)
    assert found and int(found[2]) >= 10 and int(found[1]) + int(found[2]) == IMAGES - 4
    assert masks(parts) == masks(whole)
    for path in ("rejected.jsonl", *(f"index/{part.name}" for part in (whole / "index").iterdir())):
        assert (parts / path).read_bytes() == (whole / path).read_bytes(), path
