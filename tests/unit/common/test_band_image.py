from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from common.band_image import DEPTHS, HEADER_BYTES, MAGIC, pack_bands, unpack_bands


@settings(deadline=None)
@given(st.data(), st.sampled_from(DEPTHS), st.integers(1, 5), st.integers(1, 5), st.integers(1, 16))
def test_every_sample_comes_back(data: st.DataObject, depth: str, height: int, width: int, bands: int) -> None:
    image_HWC = data.draw(arrays.arrays(np.dtype(depth), (height, width, bands)))
    unpacked = unpack_bands(pack_bands(image_HWC))
    assert (unpacked.dtype, unpacked.shape) == (image_HWC.dtype, image_HWC.shape)
    assert unpacked.tobytes() == image_HWC.tobytes()


def test_equal_images_have_equal_bytes_in_any_memory_layout() -> None:
    image_HWC = np.arange(24, dtype=np.uint16).reshape(2, 3, 4)
    assert pack_bands(image_HWC) == pack_bands(np.asfortranarray(image_HWC)) == pack_bands(image_HWC.astype(">u2"))


def test_the_header_says_depth_and_shape() -> None:
    header = pack_bands(np.zeros([2, 3, 4], np.uint16))[:HEADER_BYTES]
    assert header == MAGIC + bytes([1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0])


def test_other_bytes_are_refused() -> None:
    with pytest.raises(ValueError, match="not an image of bands"):
        unpack_bands(b"\x89PNG\r\n\x1a\n")
