"""Exif orientation in the graph, against Pillow."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from components.trainer.inference.orientation import decode_upright, orientation, turn, upright

ENCODED = [tf.TensorSpec([], tf.string)]
read_orientation = tf.function(orientation, input_signature=ENCODED)
read_upright = tf.function(decode_upright, input_signature=ENCODED)
make_upright = tf.function(upright, input_signature=[*ENCODED, tf.TensorSpec([2], tf.int32)])

IMAGE_HWC = np.random.default_rng(0).integers(0, 256, [24, 40, 3]).astype(np.uint8)


def tiff(value: int = 6, order: str = "<", kind: int = 3, count: int = 1, others: int = 3, gap: int = 0) -> bytes:
    """Exif data with the orientation among other entries."""
    short = struct.pack(order + "H", value) + b"\0\0"
    entry = struct.pack(order + "HHI", 0x0112, kind, count) + short
    other = struct.pack(order + "HHI", 0x0100, 4, 1) + struct.pack(order + "I", 7)
    magic = b"II*\0" if order == "<" else b"MM\0*"
    entries = other * others + entry + bytes(4)
    return magic + struct.pack(order + "I", 8 + gap) + bytes(gap) + struct.pack(order + "H", others + 1) + entries


def segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">HH", marker, len(content) + 2) + content


def jpeg(*segments: bytes) -> bytes:
    """A JPEG with segments put in behind its first marker."""
    out = io.BytesIO()
    Image.fromarray(IMAGE_HWC).save(out, "JPEG", quality=95)
    plain = out.getvalue()
    return plain[:2] + b"".join(segments) + plain[2:]


def exif(data: bytes) -> bytes:
    return segment(0xFFE1, b"Exif\0\0" + data)


def orientation_of(encoded: bytes) -> int:
    return int(read_orientation(tf.constant(encoded)))


def as_pillow_shows_it(encoded: bytes) -> np.ndarray:
    return np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(encoded))).convert("RGB"))


@pytest.mark.parametrize("value", range(1, 9))
@pytest.mark.parametrize("order", ["<", ">"])
def test_a_photograph_stands_as_pillow_turns_it(value: int, order: str) -> None:
    encoded = jpeg(exif(tiff(value, order)))
    assert orientation_of(encoded) == value
    shown = as_pillow_shows_it(encoded)
    seen = read_upright(tf.constant(encoded)).numpy()
    assert seen.shape == shown.shape
    assert np.abs(seen.astype(int) - shown).mean() < 2  # Two decoders of JPEG, the same geometry.


@pytest.mark.parametrize("value", range(1, 9))
def test_pixels_are_turned_exactly_as_pillow_turns_them(value: int) -> None:
    out = io.BytesIO()
    Image.fromarray(IMAGE_HWC).save(out, "PNG", exif=tiff(value))
    encoded = out.getvalue()
    assert orientation_of(encoded) == value
    np.testing.assert_array_equal(read_upright(tf.constant(encoded)), as_pillow_shows_it(encoded))
    remade, size_2 = make_upright(tf.constant(encoded), tf.constant(IMAGE_HWC.shape[:2]))
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(remade.numpy()))), as_pillow_shows_it(encoded))
    assert tuple(size_2.numpy()) == as_pillow_shows_it(encoded).shape[:2]


def test_masks_are_turned_too() -> None:
    mask_HW = np.arange(6, dtype=np.uint8).reshape(2, 3)
    np.testing.assert_array_equal(turn(tf.constant(mask_HW), tf.constant(6)), np.rot90(mask_HW, -1))


def test_a_file_that_stands_upright_keeps_its_bytes() -> None:
    for encoded in (jpeg(), jpeg(exif(tiff(1)))):
        assert make_upright(tf.constant(encoded), tf.constant(IMAGE_HWC.shape[:2]))[0].numpy() == encoded


def test_exif_is_found_behind_other_segments_and_fill_bytes() -> None:
    before = [segment(0xFFE0, b"JFIF\0" + bytes(9)), segment(0xFFE1, b"http://ns.adobe.com/xap/1.0/\0<x/>")]
    assert orientation_of(jpeg(*before, segment(0xFFFE, bytes(60_000)), b"\xff\xff", exif(tiff(8, gap=10)))) == 8


@pytest.mark.parametrize(
    "broken",
    [
        jpeg(exif(tiff(0))),
        jpeg(exif(tiff(9))),
        jpeg(exif(tiff(6, kind=4))),
        jpeg(exif(tiff(6, count=2))),
        jpeg(exif(b"XX" + tiff(6)[2:])),
        jpeg(exif(tiff(6)[:4] + b"\xff\xff\xff\xff" + tiff(6)[8:])),
        jpeg(exif(tiff(6)[:4] + b"\xff\xff\xff\x7f" + tiff(6)[8:])),
        jpeg(segment(0xFFE1, b"Exif\0")),
        jpeg(exif(b"")),
        jpeg(exif(tiff(6)))[:30],
        b"\xff\xd8\xff",
        b"",
        b"GIF89a" + tiff(6),
    ],
)
def test_what_is_broken_says_nothing(broken: bytes) -> None:
    assert orientation_of(broken) == 1


def test_exif_data_behind_the_pixels_is_not_looked_for() -> None:
    assert orientation_of(jpeg() + exif(tiff(6))) == 1


def test_a_file_of_endless_segments_is_given_up() -> None:
    assert orientation_of(jpeg(*[segment(0xFFE2, b"")] * 5000, exif(tiff(6)))) == 1


@given(st.binary(max_size=200), st.sampled_from([b"\xff\xd8\xff\xe1", b"\x89PNG\r\n\x1a\n", jpeg(exif(tiff(6)))[:24]]))
@settings(max_examples=150, deadline=None)
def test_no_bytes_do_worse_than_saying_nothing(rest: bytes, start: bytes) -> None:
    assert 1 <= orientation_of(start + rest) <= 8


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_damaged_byte_does_no_harm(data: st.DataObject) -> None:
    encoded = bytearray(jpeg(exif(tiff(6))))
    encoded[data.draw(st.integers(2, 80))] = data.draw(st.integers(0, 255))
    assert 1 <= orientation_of(bytes(encoded)) <= 8
