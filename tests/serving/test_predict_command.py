"""`segpipe predict --url`: the same files and words, whoever is asked."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.serving import MODEL, Hosted, picture


def predict(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipeline.cli.main", "predict", *arguments, "--out", str(tmp_path / "out")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_masks_and_overlays_are_written_from_a_servers_answers(server: Hosted, tmp_path: Path, protocol: str) -> None:
    (tmp_path / "scene.png").write_bytes(picture(40, 56))
    address = server.http if protocol == "http" else f"grpc://{server.grpc}"
    done = predict(tmp_path, str(tmp_path / "scene.png"), "--url", f"{address}/v1/models/{MODEL}")
    assert done.returncode == 0, done.stderr
    assert "roof 100.0%" in done.stdout
    mask_HW = np.asarray(Image.open(tmp_path / "out" / "scene.mask.png"))
    np.testing.assert_array_equal(mask_HW, np.ones((40, 56)))
    assert Image.open(tmp_path / "out" / "scene.overlay.png").size == (56, 40)


def test_what_goes_wrong_is_told_in_one_sentence(server: Hosted, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no picture")
    bad = str(tmp_path / "bad.png")
    url = f"{server.http}/v1/models/{MODEL}"
    refused = predict(tmp_path, bad, "--url", url)
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"error: {bad}: ")
    assert len(refused.stderr.splitlines()) == 1
    assert "does not say which model" in predict(tmp_path, bad, "--url", server.http).stderr
    assert "…/v1/models/NAME/versions/3" in predict(tmp_path, bad, "--url", url, "--version", "3").stderr


def test_a_bad_image_stops_no_other_and_is_listed_at_the_end(server: Hosted, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.png").write_bytes(picture())
    (folder / "b.jpg").write_bytes(picture(kind="JPEG")[:-200])
    (folder / "deep" / "c.png").write_bytes(picture(24, 24))
    (folder / "notes.txt").write_text("x")
    done = predict(tmp_path, str(folder), "--url", f"{server.http}/v1/models/{MODEL}")
    assert done.returncode == 1
    first, second = done.stderr.splitlines()
    assert first == "error: 1 of 3 images could not be segmented; the other 2 were written"
    assert second.startswith(f"  {folder}/b.jpg: picture refused: the JPEG file ends early: ")
    assert "skipped, not images: 1 .txt" in done.stdout
    written = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.png"))
    assert written == ["a.mask.png", "a.overlay.png", "deep/c.mask.png", "deep/c.overlay.png"]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1:{free}/v1/models/tiny", "cannot reach http://127.0.0.1:{free}/v1/models/tiny:predict: "),
        ("grpc://127.0.0.1:{free}/v1/models/tiny", "cannot reach grpc://127.0.0.1:{free}: "),
        ("http://{grpc}/v1/models/tiny", "what answers at http://{grpc}/v1/models/tiny:predict does not speak HTTP"),
        ("grpc://127.0.0.1:{http}/v1/models/tiny", "what answers at 127.0.0.1:{http} does not speak gRPC"),
        ("http://127.0.0.1:{http}/v1/models/pets", "the server has no such model or version, or not yet ("),
        ("grpc://{grpc}/v1/models/tiny/versions/9", "the server has no such model or version, or not yet ("),
    ],
)
def test_a_wrong_address_is_told_while_a_person_waits(server: Hosted, tmp_path: Path, url: str, words: str) -> None:
    (tmp_path / "scene.png").write_bytes(picture())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = taken.getsockname()[1]
    ports = {"free": free, "http": server.http.rpartition(":")[2], "grpc": server.grpc}
    began = time.monotonic()
    done = predict(tmp_path, str(tmp_path / "scene.png"), "--url", url.format(**ports))
    assert time.monotonic() - began < 15
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert done.stderr.startswith(f"error: {words.format(**ports)}")
