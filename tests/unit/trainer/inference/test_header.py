"""Sizes from headers, in the graph, before a pixel is decoded."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from components.hostile import MAX_SCANS, MAX_TEXTS
from components.trainer.inference.header import check_picture, picture_size
from tests.support.hostile_pictures import PNG, chunk, ihdr, rows, with_scans


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


def test_a_png_whose_size_is_behind_another_chunk_is_refused_though_libpng_takes_it() -> None:
    pixels = chunk(b"IDAT", rows(300, 200)) + chunk(b"IEND")
    hidden = PNG + chunk(b"teSt", (4).to_bytes(4, "big") * 2) + ihdr(300, 200) + pixels
    assert tf.io.decode_image(hidden).shape == (200, 300, 3)
    with pytest.raises(tf.errors.InvalidArgumentError, match="its header is broken"):
        check_in_graph(tf.constant(hidden), 100)


def test_a_jpeg_of_countless_scans_is_refused_and_one_of_an_encoder_is_not() -> None:
    check_in_graph(tf.constant(with_scans(16, MAX_SCANS - 20)), 1000)
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"it has more than {MAX_SCANS} scans"):
        check_in_graph(tf.constant(with_scans(16, MAX_SCANS)), 1000)


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt"])
def test_a_png_of_much_compressed_text_is_refused_wherever_the_text_is(kind: bytes) -> None:
    pixels, end, text = chunk(b"IDAT", rows(3, 2)), chunk(b"IEND"), chunk(kind, b"key")
    check_in_graph(tf.constant(PNG + ihdr(3, 2) + MAX_TEXTS * text + pixels + end), 1000)
    for parts in (((MAX_TEXTS + 1) * text, pixels), (pixels, (MAX_TEXTS + 1) * text)):
        with pytest.raises(tf.errors.InvalidArgumentError, match=f"more than {MAX_TEXTS} chunks of compressed text"):
            check_in_graph(tf.constant(PNG + ihdr(3, 2) + b"".join(parts) + end), 1000)


def test_other_kinds_may_hold_the_same_bytes() -> None:
    check_in_graph(tf.constant(encode(2, 3, "BMP") + 1000 * b"zTXt" + 1000 * b"\xff\xda\0"), 1000)


def test_a_bmp_with_the_header_of_os2_is_refused() -> None:
    bmp = bytearray(encode(3, 2, "BMP"))
    bmp[14] = 12
    with pytest.raises(tf.errors.InvalidArgumentError, match="save it as PNG"):
        check_in_graph(tf.constant(bytes(bmp)), 1000)


@given(st.binary(max_size=60), st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"\xff\xd8\xff"]))
@settings(max_examples=150, deadline=None)
def test_no_bytes_do_worse_than_being_refused(rest: bytes, magic: bytes) -> None:
    try:
        height, width = check_in_graph(tf.constant(magic + rest), 10_000).numpy()
    except tf.errors.InvalidArgumentError:
        return
    assert 0 < height * width <= 10_000
