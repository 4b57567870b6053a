"""Thumbnails of files that nobody has checked."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from common.decompression_bomb import forged_size_png
from common.palette import hex_colour
from pipeline.dashboard import thumbnails
from pipeline.dashboard.thumbnails import thumbnail


def opened(png: bytes | None) -> Image.Image:
    assert png is not None
    return Image.open(io.BytesIO(png))


def test_an_image_becomes_small(tmp_path: Path) -> None:
    Image.fromarray(np.zeros([400, 1600, 3], np.uint8)).save(tmp_path / "a.jpg")
    assert opened(thumbnail(tmp_path / "a.jpg", False)).size == (320, 80)


def test_a_mask_of_indices_gets_the_colours_of_classes(tmp_path: Path) -> None:
    Image.fromarray(np.full([10, 10], 3, np.uint8)).save(tmp_path / "m.png")
    red, green, blue = opened(thumbnail(tmp_path / "m.png", True)).convert("RGB").getpixel((5, 5))  # type: ignore[misc]
    assert f"#{red:02x}{green:02x}{blue:02x}" == hex_colour(3)


def test_sixteen_bits_are_stretched(tmp_path: Path) -> None:
    Image.fromarray((np.arange(100, dtype=np.uint16) * 600).reshape(10, 10)).save(tmp_path / "deep.png")
    assert opened(thumbnail(tmp_path / "deep.png", False)).getextrema() == (0, 255)


@pytest.mark.parametrize(
    "content", [b"", b"text", forged_size_png(20_000), forged_size_png(100)[:-30], b"GIF89a", b"\xff\xd8\xff\xe0"]
)
def test_what_cannot_be_decoded_has_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.png").write_bytes(content)
    assert thumbnail(tmp_path / "x.png", False) is None


def test_a_size_over_the_limit_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(np.zeros([40, 40], np.uint8)).save(tmp_path / "a.png")
    monkeypatch.setattr(thumbnails, "MOST_BYTES", 10)
    monkeypatch.setattr(Path, "read_bytes", lambda _: pytest.fail("it was read"))
    assert thumbnail(tmp_path / "a.png", False) is None


def test_a_missing_file_has_none(tmp_path: Path) -> None:
    assert thumbnail(tmp_path / "none.png", True) is None
