from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from common.band_image import (
    COMPRESSED,
    DEPTHS,
    HEADER_BYTES,
    MAGIC,
    PLAIN,
    for_request,
    pack_bands,
    pack_plain,
    unpack_bands,
)
from segpipe_client import Bands


@settings(deadline=None)
@given(st.data(), st.sampled_from(DEPTHS), st.integers(1, 5), st.integers(1, 5), st.integers(1, 16))
def test_every_sample_comes_back(data: st.DataObject, depth: str, height: int, width: int, bands: int) -> None:
    image_HWC = data.draw(arrays.arrays(np.dtype(depth), (height, width, bands)))
    for packed in (pack_bands(image_HWC), pack_plain(image_HWC)):
        unpacked = unpack_bands(packed)
        assert (unpacked.dtype, unpacked.shape) == (image_HWC.dtype, image_HWC.shape)
        assert unpacked.tobytes() == image_HWC.tobytes()


def test_equal_images_have_equal_bytes_in_any_memory_layout() -> None:
    image_HWC = np.arange(24, dtype=np.uint16).reshape(2, 3, 4)
    assert pack_bands(image_HWC) == pack_bands(np.asfortranarray(image_HWC)) == pack_bands(image_HWC.astype(">u2"))


def test_the_header_says_depth_and_shape() -> None:
    image_HWC = np.zeros([2, 3, 4], np.uint16)
    shape = bytes([1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0])
    assert pack_bands(image_HWC)[:HEADER_BYTES] == MAGIC + COMPRESSED + shape
    assert pack_plain(image_HWC) == MAGIC + PLAIN + shape + image_HWC.tobytes()


def test_a_request_holds_a_records_image_uncompressed_and_other_formats_as_they_are() -> None:
    image_HWC = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    assert for_request(pack_bands(image_HWC)) == for_request(pack_plain(image_HWC)) == pack_plain(image_HWC)
    assert for_request(b"\x89PNG") == b"\x89PNG"


@pytest.mark.parametrize("depth", DEPTHS)
def test_the_client_packs_as_the_server_reads(depth: str) -> None:
    image_HWC = np.random.default_rng(0).integers(0, 200, [3, 4, 5]).astype(depth)
    assert Bands(image_HWC).encoded() == pack_plain(image_HWC)
    assert Bands(np.asfortranarray(image_HWC.astype(image_HWC.dtype.newbyteorder(">")))).encoded() == pack_plain(
        image_HWC
    )


def test_other_bytes_are_refused() -> None:
    with pytest.raises(ValueError, match="not an image of bands"):
        unpack_bands(b"\x89PNG\r\n\x1a\n")
