"""The orientation of a file: ingestion, the served graph and a client read the same, whatever the header."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from common.orientation import MAX_ENTRIES, MAX_PARTS, orientation
from segpipe_client.orientation import orientation_of
from tests.support.image_files import (
    XMP,
    app1,
    by_pillow,
    chunk,
    exif_data,
    noise,
    png_file,
    segment,
    with_segments,
)
from tests.support.served_graph import served_orientation

SAMPLES = noise(0, 6, 8, 3)


def jpeg(*segments: bytes) -> bytes:
    return with_segments(by_pillow(Image.fromarray(SAMPLES.astype(np.uint8)), "JPEG"), *segments)


def png(*chunks: bytes) -> bytes:
    return png_file(SAMPLES, between=b"".join(chunks))


JPEG, PNG = jpeg(), png()
RAW_PROFILE = b"\nexif\n%8d\n" % (len(exif_data()) + 6) + (b"Exif\0\0" + exif_data()).hex().encode() + b"\n"

STANDARD = {
    "JPEG": lambda exif: jpeg(app1(exif)),
    "JPEG behind JFIF and XMP": lambda exif: jpeg(
        segment(0xFFE0, b"JFIF\0" + bytes(9)), segment(0xFFE1, XMP), app1(exif)
    ),
    "JPEG behind fill bytes": lambda exif: jpeg(b"\xff\xff", app1(exif)),
    "PNG": lambda exif: png(chunk(b"eXIf", exif)),
    "PNG behind text": lambda exif: png(chunk(b"tEXt", b"a\0b"), chunk(b"eXIf", exif)),
}
OTHERS = {
    "plain JPEG": JPEG,
    "plain PNG": PNG,
    "XMP in a JPEG": jpeg(segment(0xFFE1, XMP)),
    "XMP in a PNG": png(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP.split(b"\0", 1)[1])),
    "LONG": jpeg(app1(exif_data(kind=4))),
    "two values": jpeg(app1(exif_data(count=2))),
    "no value": jpeg(app1(exif_data(count=0))),
    "0": jpeg(app1(exif_data(0))),
    "9": jpeg(app1(exif_data(9))),
    "second directory": jpeg(app1(exif_data(1, second=6))),
    "second directory alone": jpeg(app1(exif_data(0, second=6))),
    "Exif behind the JPEG's scan": JPEG[:-2] + app1(exif_data()) + JPEG[-2:],
    "Exif behind the JPEG": JPEG + app1(exif_data()),
    "Exif behind the PNG's pixels": png_file(SAMPLES, after=chunk(b"eXIf", exif_data())),
    "Exif with a prefix in a PNG": png(chunk(b"eXIf", b"Exif\0\0" + exif_data())),
    "Exif as text in a PNG": png(chunk(b"tEXt", b"Raw profile type exif\0" + RAW_PROFILE)),
    "Exif without its prefix in a JPEG": jpeg(segment(0xFFE1, exif_data())),
    "Exif in APP2": jpeg(segment(0xFFE2, b"Exif\0\0" + exif_data())),
    "a segment that ends before the tag": jpeg(segment(0xFFE1, b"Exif\0\0" + exif_data(), length=20)),
    "a chunk that ends before the tag": png(chunk(b"eXIf", exif_data(), length=12)),
    "a segment of impossible length": jpeg(segment(0xFFE2, b"", length=1), app1(exif_data())),
    "a chunk of impossible length": png(chunk(b"teSt", b"", length=0xFFFFFFF0), chunk(b"eXIf", exif_data())),
    "a directory in the header": jpeg(app1(exif_data()[:4] + bytes(4) + exif_data()[8:])),
    "too many segments": jpeg(*[segment(0xFFE2, b"")] * MAX_PARTS, app1(exif_data())),
    "too many entries": jpeg(app1(exif_data(before=[(0x100, 1)] * MAX_ENTRIES))),
    "a BigTIFF": jpeg(app1(b"II+\0" + exif_data()[4:])),
}


@pytest.mark.parametrize("place", STANDARD)
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("value", [1, 3, 6, 8])
def test_what_stands_where_the_standard_says_turns(place: str, order: str, value: int) -> None:
    data = STANDARD[place](exif_data(value, order, before=[(0x100, 5)], after=[(0x128, 2)], gap=value))
    assert (orientation(data), served_orientation(data), orientation_of(data)) == (value, value, value)


@pytest.mark.parametrize("place", OTHERS)
def test_what_stands_elsewhere_or_otherwise_does_not(place: str) -> None:
    data = OTHERS[place]
    assert (orientation(data), served_orientation(data), orientation_of(data)) == (1, 1, 1)


def test_of_several_the_first_sound_one_counts() -> None:
    exif = exif_data(9, before=[(0x0112, 0)], after=[(0x0112, 8), (0x0112, 3)])
    assert [read(jpeg(app1(exif))) for read in (orientation, served_orientation, orientation_of)] == [8, 8, 8]


EXIF = st.builds(
    exif_data,
    value=st.integers(0, 10),
    order=st.sampled_from("<>"),
    kind=st.sampled_from([3, 3, 3, 4, 1]),
    count=st.sampled_from([1, 1, 1, 0, 2, 0x01000001]),
    before=st.lists(st.tuples(st.sampled_from([0x0100, 0x0112, 0x011A]), st.integers(0, 9)), max_size=4),
    after=st.lists(st.tuples(st.sampled_from([0x0112, 0x0128, 0x8769]), st.integers(0, 9)), max_size=4),
    gap=st.integers(0, 9),
    second=st.none() | st.integers(1, 8),
)


@st.composite
def damaged(draw: st.DrawFn, sound: st.SearchStrategy[bytes]) -> bytes:
    """Exif data cut off, or with some bytes changed."""
    exif = bytearray(draw(sound))
    for _ in range(draw(st.integers(0, 3))):
        exif[draw(st.integers(0, len(exif) - 1))] = draw(st.integers(0, 255))
    return bytes(exif[: draw(st.integers(0, len(exif)) | st.just(len(exif)))])


LENGTHS = st.none() | st.none() | st.sampled_from([0, 1, 2, 7, 8, 9, 20, 40, 0xFFFF])
SEGMENTS = st.one_of(
    st.builds(lambda exif, length: segment(0xFFE1, b"Exif\0\0" + exif, length), EXIF | damaged(EXIF), LENGTHS),
    st.builds(
        segment, st.sampled_from([0xFFE0, 0xFFE1, 0xFFE2, 0xFFFE, 0xFF01, 0xFFDA]), st.binary(max_size=9), LENGTHS
    ),
    st.just(segment(0xFFE1, XMP)),
    st.integers(1, 70).map(lambda number: b"\xff" * number),
    st.binary(max_size=3),
    st.integers(MAX_PARTS - 3, MAX_PARTS + 1).map(lambda number: segment(0xFFE2, b"") * number),
)
CHUNKS = st.one_of(
    st.builds(lambda exif, length: chunk(b"eXIf", exif, length), EXIF | damaged(EXIF), LENGTHS),
    st.builds(chunk, st.sampled_from([b"tEXt", b"IDAT", b"exif", b"iTXt"]), st.binary(max_size=9), LENGTHS),
    st.integers(MAX_PARTS - 4, MAX_PARTS + 1).map(lambda number: chunk(b"teSt") * number),
    st.just(chunk(b"teSt", length=0x80000000)),
)


@st.composite
def headers(draw: st.DrawFn) -> bytes:
    """JPEGs and PNGs with segments and chunks of every kind in front of their pixels, perhaps cut off."""
    if draw(st.booleans()):
        data = jpeg(*draw(st.lists(SEGMENTS, max_size=4)))
    else:
        data = png(*draw(st.lists(CHUNKS, max_size=4)))
    return data[: draw(st.just(len(data)) | st.integers(0, len(data)))]


@given(headers())
@example(b"")
@example(b"GIF89a" + app1(exif_data()))
@example(jpeg(app1(exif_data(before=[(0x0100, 1)] * (MAX_ENTRIES - 1)))))
@example(jpeg(app1(exif_data()[:4] + struct.pack("<I", 0x80000008) + exif_data()[8:])))
@settings(max_examples=200, deadline=None)
def test_all_read_the_same_in_any_header(data: bytes) -> None:
    assert orientation(data) == served_orientation(data) == orientation_of(data)
