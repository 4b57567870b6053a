"""Hostile files among the training data, as images and as masks: used, or quarantined with a reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.data_set import DataSet, blocks, encode, photo
from tests.support.hostile_pictures import HEIGHT, WIDTH, Hostile, hostile_pictures, sound
from tests.support.surveyed import MAX_PIXELS, Surveyed, survey_apart

MEGABYTE = 1 << 20
SIDE = 1000
IMAGE, MASK = encode(photo(WIDTH, HEIGHT)), encode(blocks(WIDTH, HEIGHT))


def honest_pairs(root: Path) -> Path:
    """Pictures of all kinds at the limit of pixels."""
    data_set = DataSet(root)
    assert SIDE**2 == MAX_PIXELS
    mask = encode(blocks(SIDE, SIDE))
    for index, kind in enumerate(("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")):
        data_set.add(f"{kind}-1", encode(photo(SIDE, SIDE, index), kind), mask)
        data_set.add(f"{kind}-2", encode(photo(SIDE, SIDE, index).convert("L"), kind), mask)
    data_set.add("progressive", encode(photo(SIDE, SIDE), "JPEG", progressive=True), mask)
    return root


def hostile_pairs(root: Path, files: list[Hostile]) -> Path:
    """Each file as an image with a sound mask, and as the mask of a sound image.

    No two masks are those of one image: bytes behind the end of a PNG change its hash alone.
    """
    data_set = DataSet(root)
    for index, (name, data) in enumerate(files):
        data_set.add(f"image-{name}", data, MASK)
        data_set.add(f"mask-{name}", IMAGE + index.to_bytes(4, "big"), data)
    return root


def check(tmp_path: Path, files: list[Hostile], seconds: float) -> None:
    honest, hostile = survey_apart(
        honest_pairs(tmp_path / "honest"), hostile_pairs(tmp_path / "hostile", files), seconds=seconds
    )
    assert honest.reasons == {}
    assert hostile.used + len(hostile.reasons) == 2 * len(files)
    check_words(hostile)
    assert hostile.slowest_seconds < 5
    assert hostile.peak - honest.peak < 150 * MEGABYTE, "bombs take no more than honest pictures at the limit"


def check_words(hostile: Surveyed) -> None:
    for name, detail in hostile.reasons.items():
        assert detail.startswith(("image: ", "mask: ")), name
        assert 15 < len(detail) < 500, (name, detail)
    for name in sound():
        assert (f"image-sound-{name}" in hostile.reasons) == (name == "gif-animated"), name


def with_sound_ones(files: list[Hostile]) -> list[Hostile]:
    return [*files, *(Hostile(f"sound-{name}", data) for name, data in sound().items())]


def test_every_hostile_file_is_used_or_quarantined_with_a_reason(tmp_path: Path) -> None:
    check(tmp_path, with_sound_ones(hostile_pictures()), seconds=120)


@pytest.mark.slow
def test_so_are_many_more_of_them(tmp_path: Path) -> None:
    check(tmp_path, with_sound_ones(hostile_pictures(seed=1, rounds=6)), seconds=600)
