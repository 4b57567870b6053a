"""Sizes from headers, in the graph, before a pixel is decoded."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from common.decompression_bomb import MAX_SCANS, MAX_TEXTS, inflates_too_far, png_bytes
from components.trainer.inference.header import Looked, header_size, look_at
from tests.support.hostile_pictures import PNG, chunk, ihdr, rows, with_scans


@tf.function(input_signature=[tf.TensorSpec([], tf.string), tf.TensorSpec([], tf.int64)])
def look_in_graph(encoded: tf.Tensor, max_pixels: tf.Tensor) -> Looked:
    return look_at(encoded, max_pixels)


def refusal(encoded: bytes, max_pixels: int = 1000) -> str:
    return look_in_graph(tf.constant(encoded), max_pixels).refusal.numpy().decode()


def encode(height: int, width: int, kind: str) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.zeros([height, width], np.uint8)).convert("RGB").save(out, kind)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP"])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 700), (300, 2)])
def test_the_header_tells_the_size(kind: str, height: int, width: int) -> None:
    assert header_size(tf.constant(encode(height, width, kind))).numpy().tolist() == [height, width]


@pytest.mark.parametrize("text", [b"", b"hello", b"\x89PNG\r\n\x1a\n", b"BM", b"GIF89a", b"II*\x00" + bytes(40)])
def test_what_is_no_picture_is_refused_by_name(text: bytes) -> None:
    assert refusal(text) == "picture refused: it is not a JPEG, PNG, GIF or BMP, or its header is broken"


def test_a_picture_over_the_limit_is_refused_by_name() -> None:
    bomb = bytearray(encode(2, 2, "PNG"))
    bomb[16:24] = (20_000).to_bytes(4, "big") * 2
    assert refusal(bytes(bomb), 1_000_000) == (
        "picture refused: height and width 20000 20000 are over the limit of 1000000 pixels"
    )


def test_a_size_that_overflows_32_bits_is_refused() -> None:
    bomb = bytearray(encode(2, 2, "PNG"))
    bomb[16:24] = b"\x7f\xff\xff\xff" * 2
    assert "over the limit" in refusal(bytes(bomb), 1_000_000)


def test_a_png_whose_size_is_behind_another_chunk_is_refused_though_libpng_takes_it() -> None:
    pixels = chunk(b"IDAT", rows(300, 200)) + chunk(b"IEND")
    hidden = PNG + chunk(b"teSt", (4).to_bytes(4, "big") * 2) + ihdr(300, 200) + pixels
    assert tf.io.decode_image(hidden).shape == (200, 300, 3)
    assert "its header is broken" in refusal(hidden, 100)


def test_a_jpeg_of_countless_scans_is_refused_and_one_of_an_encoder_is_not() -> None:
    assert refusal(with_scans(16, MAX_SCANS - 20)) == ""
    assert f"it has more than {MAX_SCANS} scans" in refusal(with_scans(16, MAX_SCANS))


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt"])
def test_a_png_of_much_compressed_text_is_refused_wherever_the_text_is(kind: bytes) -> None:
    pixels, end, text = chunk(b"IDAT", rows(3, 2)), chunk(b"IEND"), chunk(kind, b"key")
    assert refusal(PNG + ihdr(3, 2) + MAX_TEXTS * text + pixels + end) == ""
    for parts in (((MAX_TEXTS + 1) * text, pixels), (pixels, (MAX_TEXTS + 1) * text)):
        refused = refusal(PNG + ihdr(3, 2) + b"".join(parts) + end)
        assert f"more than {MAX_TEXTS} chunks of compressed text" in refused


def test_a_png_larger_than_its_pixels_can_make_it_is_refused() -> None:
    pixels, end = chunk(b"IDAT", rows(300, 200)), chunk(b"IEND")
    for length, refused in ((png_bytes(60_000) - 1000, False), (png_bytes(60_000), True)):
        stuffed = PNG + ihdr(300, 200) + chunk(b"teSt", bytes(length)) + pixels + end
        assert ("it holds more data than its pixels can take" in refusal(stuffed, 60_000)) == refused


def test_the_largest_png_of_its_pixels_is_not_refused() -> None:
    noise_HWC = np.random.default_rng(0).integers(0, 1 << 16, [400, 500, 4]).astype(np.uint16)
    largest = tf.io.encode_png(noise_HWC, compression=0).numpy()
    assert len(largest) > 400 * 500 * 8
    assert refusal(largest, 200_000) == ""
    assert not inflates_too_far(largest, 200_000)


def test_other_kinds_may_hold_the_same_bytes() -> None:
    assert refusal(encode(2, 3, "BMP") + 1000 * b"zTXt" + 1000 * b"\xff\xda\0") == ""


def test_a_bmp_with_the_header_of_os2_is_refused() -> None:
    bmp = bytearray(encode(3, 2, "BMP"))
    bmp[14] = 12
    assert "save it as PNG" in refusal(bytes(bmp))


@given(st.binary(max_size=60), st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"\xff\xd8\xff"]))
@settings(max_examples=150, deadline=None)
def test_no_bytes_do_worse_than_being_refused(rest: bytes, magic: bytes) -> None:
    try:
        looked = look_in_graph(tf.constant(magic + rest), 10_000)
    except tf.errors.InvalidArgumentError:
        return
    if not looked.refusal.numpy():
        height, width = looked.size_2.numpy()
        assert 0 < height * width <= 10_000
