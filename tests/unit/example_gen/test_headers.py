from __future__ import annotations

import struct
import zlib
from itertools import repeat

import pytest
from PIL import Image

from components.example_gen.headers import open_image
from components.example_gen.images import canonical_image
from components.example_gen.quarantine import Reason
from components.example_gen.rejection import RejectionError
from tests.support.data_set import encode, photo, raw_png
from tests.support.hostile_pictures import PNG, chunk, ihdr, patched, rows, run_length_bmp, tiff, with_scans
from tests.support.memory import forget_peak, peak_memory

LIMIT = 64_000_000


def png_lie() -> bytes:
    data = patched(encode(photo()), 16, ">II", 20_000, 20_000)
    return patched(data, 29, ">I", zlib.crc32(data[12:29]))


def jpeg_lie() -> bytes:
    data = encode(photo(), "JPEG")
    return patched(data, data.index(b"\xff\xc0") + 5, ">HH", 65_000, 65_000)


def tiff_lie() -> bytes:
    data = encode(photo(), "TIFF")
    [directory] = struct.unpack_from("<I", data, 4)
    for tag in (256, 257):
        at = data.index(struct.pack("<H", tag), directory)
        data = patched(data, at, "<HHII", tag, 4, 1, 60_000)
    return data


def gif_frame_lie() -> bytes:
    data = encode(photo().convert("P"), "GIF")
    return patched(data, data.index(b"\x2c") + 5, "<HH", 60_000, 60_000)


LIES = {
    "png": png_lie,
    "honest png": lambda: raw_png(20_000, 20_000, repeat(bytes(20_000), 20_000)),
    "jpeg": jpeg_lie,
    "gif": lambda: patched(encode(photo().convert("P"), "GIF"), 6, "<HH", 60_000, 60_000),
    "gif frame": gif_frame_lie,
    "bmp": lambda: patched(encode(photo(), "BMP"), 18, "<ii", 60_000, -60_000),
    "tiff": tiff_lie,
    "tiff tile": lambda: tiff({322: 20_000, 323: 20_000, 324: 8, 325: 100}, bytes(100)),
    "run-length bmp": lambda: run_length_bmp(1_000_000, 1, 1, b"\0\2\0\xff"),
    "scans": lambda: with_scans(32, 1000),
    "compressed text": lambda: PNG + ihdr(3, 2) + chunk(b"IDAT", rows(3, 2)) + 50 * chunk(b"zTXt", b"key"),
    "webp": lambda: patched(encode(photo(), "WEBP"), 26, "<HH", 16_383, 16_383),
    "lossless webp": lambda: patched(encode(photo(), "WEBP", lossless=True), 21, "<I", 0x3FFF | 0x3FFF << 14),
    "extended webp": lambda: b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + b"\xff" * 6 + b"\0" * 8,
}


@pytest.mark.parametrize("kind", LIES)
def test_a_header_over_the_limit_is_refused_before_anything_is_allocated(kind: str) -> None:
    data = LIES[kind]()
    canonical_image(encode(photo()), LIMIT)
    forget_peak()
    before = peak_memory()
    with pytest.raises(RejectionError) as caught:
        canonical_image(data, LIMIT)
    assert caught.value.reason is Reason.TOO_LARGE
    assert peak_memory() - before < 20_000_000


def test_the_message_has_size_and_limit() -> None:
    with pytest.raises(RejectionError) as caught:
        open_image(LIES["png"](), LIMIT)
    assert caught.value.detail == "20000×20000 is 400000000 pixels, over the limit of 64000000"


def test_a_header_without_pixels_is_unreadable() -> None:
    with pytest.raises(RejectionError) as caught:
        open_image(patched(encode(photo(), "BMP"), 18, "<i", 0), LIMIT)
    assert caught.value.reason is Reason.UNREADABLE


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"])
def test_size_and_format_are_read_without_decoding(kind: str) -> None:
    picture = open_image(encode(photo(32, 24).convert("P" if kind == "GIF" else "RGB"), kind), LIMIT)
    assert (picture.format, picture.width, picture.height) == (kind.lower(), 32, 24)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_size_is_that_of_the_upright_picture(kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = open_image(encode(photo(32, 24), kind, exif=exif), LIMIT)
    assert (picture.width, picture.height) == (24, 32)
    assert picture.file_size == (32, 24)


@pytest.mark.parametrize(
    ("data", "reason", "words"),
    [
        (b"", Reason.UNREADABLE, "empty"),
        (b"version https://git-lfs.github.com/spec/v1\n", Reason.UNREADABLE, "git lfs pull"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", Reason.UNSUPPORTED_FORMAT, "not PNG"),
        (b"\0\0\0\x18ftypheic", Reason.UNSUPPORTED_FORMAT, "not PNG"),
        (b"\x89PNG\r\n\x1a\n", Reason.UNREADABLE, "png header"),
        (b"\xff\xd8\xff", Reason.UNREADABLE, "jpeg header"),
        (b"RIFF\0\0\0\0WEBPVP8 ", Reason.UNREADABLE, "webp header"),
        (b"BM", Reason.UNREADABLE, "bmp header"),
        (b"II*\0", Reason.UNREADABLE, "tiff header"),
        (b"GIF89a", Reason.UNREADABLE, "gif header"),
    ],
)
def test_what_is_no_picture_is_refused_with_the_reason(data: bytes, reason: Reason, words: str) -> None:
    with pytest.raises(RejectionError) as caught:
        open_image(data, LIMIT)
    assert caught.value.reason is reason
    assert words in caught.value.detail
