"""Bands in the client: what is no image of bands is refused before it is sent."""

from __future__ import annotations

import numpy as np
import pytest

from segpipe_client import Bands
from segpipe_client.pictures import encoded


def test_another_type_is_refused_with_the_types_that_there_are() -> None:
    with pytest.raises(TypeError, match="bands are uint8, uint16 or float32, not int64"):
        Bands(np.zeros([2, 2, 5], np.int64))


@pytest.mark.parametrize("shape", [[4, 4], [0, 4, 5], [1, 4, 4, 5]])
def test_another_shape_is_refused(shape: list[int]) -> None:
    with pytest.raises(ValueError, match="shape \\[H, W, bands\\]"):
        Bands(np.zeros(shape, np.uint16))


def test_pixels_of_16_bits_alone_name_the_class_for_them() -> None:
    with pytest.raises(TypeError, match=r"segpipe_client\.Bands"):
        encoded(np.zeros([4, 4, 3], np.uint16))
