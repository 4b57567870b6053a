"""Decoding and resizing in the graph."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from PIL import Image

from common.records import VOID
from components.transform.image_ops import (
    decode_image,
    decode_mask,
    images_from_bytes,
    letterbox,
    masks_from_bytes,
    resize_image,
    resize_mask,
    to_bytes,
)


def encode(pixels: np.ndarray, kind: str = "PNG", **options: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind, **options)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "JPEG"])
def test_every_format_that_tensorflow_knows_becomes_rgb(kind: str) -> None:
    pixels = np.full([5, 7], 128, np.uint8)
    image_HWC = decode_image(encode(pixels, kind)).numpy()
    assert image_HWC.shape == (5, 7, 3)
    np.testing.assert_allclose(image_HWC, 128, atol=2)


def test_alpha_is_dropped_not_blended() -> None:
    rgba = np.full([2, 2, 4], [10, 20, 30, 0], np.uint8)
    assert decode_image(encode(rgba)).numpy().tolist() == [[[10, 20, 30]] * 2] * 2


def test_a_picture_without_a_mask_is_void() -> None:
    assert decode_mask(tf.constant(b"")).numpy().tolist() == [[VOID]]


@given(
    npst.arrays(np.uint8, npst.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=40)),
    st.sampled_from(["stretch", "letterbox"]),
)
@settings(max_examples=40, deadline=None)
def test_resizing_a_mask_invents_no_class(mask_HW: np.ndarray, aspect: str) -> None:
    resized = resize_mask(tf.constant(mask_HW), 16, 24, aspect).numpy()
    assert resized.shape == (16, 24)
    assert set(np.unique(resized)) <= {*np.unique(mask_HW), VOID}


@given(st.integers(1, 5000), st.integers(1, 5000))
@settings(max_examples=60, deadline=None)
def test_a_letterbox_fits_and_keeps_the_aspect(height: int, width: int) -> None:
    top, left, new_height, new_width = (int(x) for x in letterbox(tf.constant(height), tf.constant(width), 64, 96))
    assert 1 <= new_height <= 64
    assert 1 <= new_width <= 96
    assert new_height == 64 or new_width == 96
    assert abs((64 - new_height) - 2 * top) <= 1
    assert abs((96 - new_width) - 2 * left) <= 1
    scale = min(64 / height, 96 / width)
    assert abs(new_height - max(1, height * scale)) <= 0.51
    assert abs(new_width - max(1, width * scale)) <= 0.51


def test_letterbox_pads_pictures_with_black_and_masks_with_void() -> None:
    image_HWC = np.full([10, 20, 3], 200, np.uint8)
    padded = resize_image(tf.constant(image_HWC), 16, 16, "letterbox").numpy()
    mask = resize_mask(tf.ones([10, 20], tf.uint8), 16, 16, "letterbox").numpy()
    assert (padded[:4] == 0).all()
    assert (padded[12:] == 0).all()
    assert (padded[4:12] == 200).all()
    assert (mask[:4] == VOID).all()
    assert (mask[4:12] == 1).all()


def test_resizing_to_the_same_size_changes_nothing() -> None:
    random = np.random.default_rng(0)
    image_HWC = random.integers(0, 256, [16, 24, 3]).astype(np.uint8)
    mask_HW = random.integers(0, 5, [16, 24]).astype(np.uint8)
    np.testing.assert_array_equal(resize_image(tf.constant(image_HWC), 16, 24, "stretch"), image_HWC)
    np.testing.assert_array_equal(resize_mask(tf.constant(mask_HW), 16, 24, "stretch"), mask_HW)


def test_bytes_are_raw_and_come_back() -> None:
    random = np.random.default_rng(0)
    images_BHWC = random.integers(0, 256, [2, 8, 6, 3]).astype(np.uint8)
    raw = [to_bytes(tf.constant(image)) for image in images_BHWC]
    assert raw[0].numpy() == images_BHWC[0].tobytes()
    np.testing.assert_array_equal(images_from_bytes(tf.stack(raw), 8, 6), images_BHWC)
    masks_BHW = images_BHWC[..., 0]
    raw = [to_bytes(tf.constant(mask)) for mask in masks_BHW]
    np.testing.assert_array_equal(masks_from_bytes(tf.stack(raw), 8, 6), masks_BHW)
