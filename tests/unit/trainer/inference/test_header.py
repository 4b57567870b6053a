"""Sizes from headers, in the graph, before a pixel is decoded."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from components.trainer.inference.header import check_picture, picture_size


@tf.function(input_signature=[tf.TensorSpec([], tf.string), tf.TensorSpec([], tf.int64)])
def check_in_graph(encoded: tf.Tensor, max_pixels: tf.Tensor) -> tf.Tensor:
    return check_picture(encoded, max_pixels)


def encode(height: int, width: int, kind: str) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.zeros([height, width], np.uint8)).convert("RGB").save(out, kind)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP"])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 700), (300, 2)])
def test_the_header_tells_the_size(kind: str, height: int, width: int) -> None:
    assert picture_size(tf.constant(encode(height, width, kind))).numpy().tolist() == [height, width]


@pytest.mark.parametrize("text", [b"", b"hello", b"\x89PNG\r\n\x1a\n", b"BM", b"GIF89a", b"II*\x00" + bytes(40)])
def test_what_is_no_picture_is_refused_by_name(text: bytes) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match="it is no JPEG, PNG, GIF or BMP"):
        check_in_graph(tf.constant(text), 100)


def test_a_picture_over_the_limit_is_refused_by_name() -> None:
    bomb = bytearray(encode(2, 2, "PNG"))
    bomb[16:24] = (20_000).to_bytes(4, "big") * 2
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"over the limit of\D+1000000\D+pixels"):
        check_in_graph(tf.constant(bytes(bomb)), 1_000_000)


def test_a_size_that_overflows_32_bits_is_refused() -> None:
    bomb = bytearray(encode(2, 2, "PNG"))
    bomb[16:24] = b"\x7f\xff\xff\xff" * 2
    with pytest.raises(tf.errors.InvalidArgumentError, match="over the limit"):
        check_in_graph(tf.constant(bytes(bomb)), 1_000_000)


@given(st.binary(max_size=60), st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"\xff\xd8\xff"]))
@settings(max_examples=150, deadline=None)
def test_no_bytes_do_worse_than_being_refused(rest: bytes, magic: bytes) -> None:
    try:
        height, width = check_in_graph(tf.constant(magic + rest), 10_000).numpy()
    except tf.errors.InvalidArgumentError:
        return
    assert 0 < height * width <= 10_000
