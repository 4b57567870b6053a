"""A picture of bands, for reports and previews."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from common.band_image import pack_bands
from components.band_picture import viewable
from segpipe_client import Bands
from segpipe_client.pictures import decoded_rgb


def shown(image_HWC: np.ndarray) -> Image.Image:
    return Image.open(io.BytesIO(viewable(pack_bands(image_HWC))))


def test_the_first_three_bands_are_stretched_each_by_itself() -> None:
    ramp_HW = np.arange(10_000, dtype=np.uint16).reshape(100, 100)
    picture = shown(np.stack([ramp_HW, ramp_HW // 100 + 7, np.full_like(ramp_HW, 9), ramp_HW], axis=-1))
    pixels_HWC = np.asarray(picture)
    assert picture.mode == "RGB"
    assert [(band.min(), band.max()) for band in np.moveaxis(pixels_HWC, -1, 0)] == [(0, 255), (0, 255), (0, 0)]


def test_fewer_than_three_bands_are_shown_as_one_in_grey() -> None:
    assert shown(np.zeros([4, 5, 2], np.float32)).mode == "L"


def test_a_file_of_another_format_stays_as_it_is() -> None:
    assert viewable(b"\xff\xd8\xff") == b"\xff\xd8\xff"


@pytest.mark.parametrize("bands", [1, 2, 3, 5])
def test_the_client_shows_the_same_picture(bands: int) -> None:
    image_HWC = np.random.default_rng(bands).integers(0, 65536, [20, 30, bands]).astype(np.uint16)
    np.testing.assert_array_equal(decoded_rgb(Bands(image_HWC).encoded()), shown(image_HWC).convert("RGB"))
