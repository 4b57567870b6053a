"""Files that would keep a decoder busy for minutes, told from honest ones."""

from __future__ import annotations

import time
import zlib

import numpy as np
import pytest
import tensorflow as tf

from common.decompression_bomb import PNG_OTHER_BYTES, excess, inflates_too_far
from tests.support.hostile_pictures import PNG, chunk, ihdr, inflating_png, rows

SIDE = 1200
PIXELS = SIDE**2


def _of_kilobytes(kilobytes: int) -> bytes:
    """A PNG of 64 × 64 that inflates to a thousand times its size."""
    zeros = zlib.compress(bytes(kilobytes << 20), 9)
    return PNG + ihdr(64, 64) + chunk(b"IDAT", zeros) + chunk(b"IEND")


@pytest.fixture(scope="module")
def inflating() -> bytes:
    return inflating_png(SIDE, megabytes=2)


def test_a_png_that_inflates_beyond_its_pixels_is_found_before_a_decoder_is(inflating: bytes) -> None:
    began = time.monotonic()
    assert inflates_too_far(inflating, PIXELS)
    assert time.monotonic() - began < 1
    assert excess(inflating, "png", PIXELS) == f"the png file holds more data than its {PIXELS} pixels can take"


def test_however_small_the_chunks_are() -> None:
    assert inflates_too_far(inflating_png(SIDE, megabytes=1, pieces=100), PIXELS)


def test_small_files_are_looked_into_too_once_a_decoder_would_be_held_up() -> None:
    assert inflates_too_far(inflating_png(64, megabytes=0), 64**2) is False
    assert inflates_too_far(_of_kilobytes(300), 64**2)


def test_what_follows_the_end_of_the_pixels_is_not_inflated() -> None:
    pixels = rows(SIDE, SIDE)
    trailing = PNG + ihdr(SIDE, SIDE) + chunk(b"IDAT", pixels + bytes(2 * PNG_OTHER_BYTES)) + chunk(b"IEND")
    assert not inflates_too_far(trailing, PIXELS)


def test_an_honest_photograph_passes() -> None:
    noise_HWC = np.random.default_rng(0).integers(0, 256, [SIDE, SIDE, 3]).astype(np.uint8)
    encoded = tf.io.encode_png(noise_HWC).numpy()
    assert len(encoded) > PNG_OTHER_BYTES
    assert excess(encoded, "png", PIXELS) is None


@pytest.mark.parametrize("cut", [40, 1 << 20, -13])
def test_a_file_that_is_cut_or_damaged_is_left_to_the_decoder(inflating: bytes, cut: int) -> None:
    assert not inflates_too_far(inflating[:60] + b"\xff" * len(inflating), PIXELS)
    inflates_too_far(inflating[:cut], PIXELS)


def test_other_files_may_hold_what_they_like() -> None:
    assert excess(bytes(5 << 20), "bmp", 1) is None
