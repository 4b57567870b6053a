"""How many images Transform computes at a time."""

from __future__ import annotations

import pytest

from components.transform.batches import images_in_batch
from components.transform.config import TransformConfig
from components.transform.pixel_format import RGB, PixelFormat


@pytest.mark.parametrize(
    ("height", "width", "pixels", "images"),
    [
        pytest.param(128, 128, RGB, 64, id="64 KB each"),
        pytest.param(224, 224, RGB, 20, id="200 KB each"),
        pytest.param(2048, 2048, RGB, 1, id="one that is larger"),
        pytest.param(16, 16, RGB, 1000, id="tiny ones"),
        pytest.param(128, 128, PixelFormat(8, "uint16"), 7, id="eight bands of float32"),
    ],
)
def test_a_batch_is_of_some_four_megabytes(height: int, width: int, pixels: PixelFormat, images: int) -> None:
    assert images_in_batch(TransformConfig(height=height, width=width), pixels) == images


def test_images_of_their_own_size_are_few() -> None:
    assert images_in_batch(TransformConfig(mode="crop", height=128, width=128), RGB) == 8
