"""docs/data.md says what is read of a file: each cell of its table, compared with the pixels of records and graph."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from components.example_gen.headers import open_image
from components.example_gen.images import canonical_image
from components.example_gen.quarantine import Reason
from components.example_gen.rejection import RejectionError
from tests.support.image_files import RGBA as RGBA_TYPE
from tests.support.image_files import (
    TURNS,
    GifFrame,
    TiffPage,
    animated_png,
    app1,
    as_rgb,
    bmp_file,
    by_pillow,
    chunk,
    colour_profile,
    exif_data,
    gif_file,
    gif_image,
    noise,
    png_file,
    tiff_file,
    webp_file,
    with_segments,
)
from tests.support.served_graph import served_pixels, served_refusal

LIMIT = 1_000_000
RGB, ALPHA, DEEP = noise(1, 10, 13, 3), noise(2, 10, 13, 4), noise(3, 10, 13, 3, 1 << 16)
SMOOTH = Image.fromarray(noise(4, 3, 4, 3).astype(np.uint8)).resize((13, 10), Image.Resampling.BICUBIC)
COLOURS = noise(5, 16, 3)
INDICES = noise(6, 10, 13, levels=16)
PROFILE = colour_profile()


def table() -> tuple[list[str], dict[str, dict[str, str]]]:
    """The columns, and format → column → what stands in the cell."""
    text = Path("docs/data.md").read_text(encoding="utf-8").split("## Images", 1)[1]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    own = lines[: next(index for index, line in enumerate(lines) if line.startswith("| format | where"))]
    heads, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in own)
    return heads[1:], {row[0]: dict(zip(heads[1:], row[1:], strict=True)) for row in rows}


COLUMNS, TABLE = table()

PLAIN: dict[str, bytes] = {
    "JPEG": by_pillow(SMOOTH, "JPEG", quality=95),
    "PNG": png_file(RGB),
    "GIF": gif_file([GifFrame(INDICES)], COLOURS),
    "BMP, 24 bits": bmp_file(RGB),
    "BMP, any other": bmp_file(INDICES, 8, noise(5, 256, 3)),
    "TIFF": tiff_file([TiffPage(RGB, photometric=2)]),
    "WebP": webp_file(RGB),
}
TRANSPARENT: dict[str, tuple[bytes, np.ndarray]] = {
    "PNG": (png_file(ALPHA, RGBA_TYPE), as_rgb(ALPHA)),
    "GIF": (
        gif_file([GifFrame(INDICES, transparent=3)], COLOURS),
        gif_image(GifFrame(INDICES, transparent=3), COLOURS),
    ),
    "BMP, any other": (bmp_file(ALPHA, 32), as_rgb(ALPHA)),
    "TIFF": (tiff_file([TiffPage(ALPHA, photometric=2, extra=(2,))]), as_rgb(ALPHA)),
    "WebP": (webp_file(ALPHA), as_rgb(ALPHA)),
}
PROFILED: dict[str, bytes] = {
    "JPEG": by_pillow(SMOOTH, "JPEG", quality=95, icc_profile=PROFILE),
    "PNG": png_file(
        RGB,
        before=chunk(b"iCCP", b"x\0\0" + zlib.compress(PROFILE)) + chunk(b"gAMA", struct.pack(">I", 100_000)),
    ),
    "BMP, 24 bits": bmp_file(RGB, header=124),
    "TIFF": tiff_file([TiffPage(RGB, photometric=2, tags=((34675, 7, tuple(PROFILE)),))]),
    "WebP": webp_file(RGB, icc_profile=PROFILE),
}
CMYK: dict[str, bytes] = {
    "JPEG": by_pillow(SMOOTH.convert("CMYK"), "JPEG", quality=100),
    "TIFF": by_pillow(SMOOTH.convert("CMYK"), "TIFF"),
}
SIXTEEN: dict[str, bytes] = {
    "PNG": png_file(DEEP, bits=16),
    "TIFF": tiff_file([TiffPage(DEEP, 16, photometric=2)]),
}
TURNED: dict[str, Callable[[int], bytes]] = {
    "JPEG": lambda value: with_segments(PLAIN["JPEG"], app1(exif_data(value))),
    "PNG": lambda value: png_file(RGB, between=chunk(b"eXIf", exif_data(value))),
    "TIFF": lambda value: tiff_file([TiffPage(RGB, photometric=2, tags=((0x0112, 3, (value,)),))]),
    "WebP": lambda value: webp_file(RGB, exif=exif_data(value)),
}
SEVERAL: dict[str, bytes] = {
    "JPEG": by_pillow(SMOOTH, "MPO", quality=95, save_all=True, append_images=[SMOOTH.rotate(180)]),
    "PNG": animated_png(RGB, 2),
    "GIF": gif_file([GifFrame(INDICES), GifFrame(INDICES[::-1])], COLOURS),
    "TIFF": tiff_file([TiffPage(RGB, photometric=2), TiffPage(RGB[::-1], photometric=2)]),
    "WebP": webp_file(RGB, frames=2),
}


def record(data: bytes) -> np.ndarray:
    """The record's pixels; where the graph takes the file, they are those that it sees in it."""
    image = canonical_image(data, LIMIT)
    np.testing.assert_array_equal(image.image_HWC, served_pixels(image.encoded))
    if not served_refusal(data):
        np.testing.assert_array_equal(image.image_HWC, served_pixels(data))
    return image.image_HWC


def is_decoded_by_tensorflow(kind: str) -> None:
    decoded = tf.io.decode_image(PLAIN[kind], channels=3, expand_animations=False).numpy()
    np.testing.assert_array_equal(record(PLAIN[kind]), decoded)


def is_decoded_by_pillow(kind: str) -> None:
    decoded = np.asarray(Image.open(io.BytesIO(PLAIN[kind])).convert("RGB"))
    np.testing.assert_array_equal(record(PLAIN[kind]), decoded)
    assert canonical_image(PLAIN[kind], LIMIT).format == "png"


def is_served(kind: str) -> None:
    assert not served_refusal(PLAIN[kind])
    np.testing.assert_array_equal(served_pixels(PLAIN[kind]), record(PLAIN[kind]))


def is_refused(kind: str) -> None:
    assert served_refusal(PLAIN[kind]).startswith("picture refused: ")


def loses_its_alpha(kind: str) -> None:
    data, shown = TRANSPARENT[kind]
    np.testing.assert_array_equal(record(data), shown)


def ignores_a_profile(kind: str) -> None:
    assert PROFILED[kind] != PLAIN[kind]
    np.testing.assert_array_equal(record(PROFILED[kind]), record(PLAIN[kind]))


def is_converted(kind: str) -> None:
    assert open_image(CMYK[kind], LIMIT).mode == "CMYK"
    by_formula = np.asarray(Image.open(io.BytesIO(CMYK[kind])).convert("RGB")).astype(int)
    assert np.abs(record(CMYK[kind]) - by_formula).max() <= (16 if kind == "JPEG" else 0)


def keeps_the_high_byte(kind: str) -> None:
    np.testing.assert_array_equal(record(SIXTEEN[kind]), DEEP >> 8)


def is_turned(kind: str) -> None:
    stored = record(PLAIN[kind])
    for value, turn in TURNS.items():
        np.testing.assert_array_equal(record(TURNED[kind](value)), turn(stored))


def shows_the_first(kind: str) -> None:
    assert Image.open(io.BytesIO(SEVERAL[kind])).n_frames == 2  # type: ignore[attr-defined]
    np.testing.assert_array_equal(record(SEVERAL[kind]), record(PLAIN[kind]))


def is_set_aside(kind: str) -> None:
    with pytest.raises(RejectionError) as caught:
        canonical_image(SEVERAL[kind], LIMIT)
    assert caught.value.reason is Reason.SEVERAL_IMAGES


CHECKS: dict[tuple[str, str], Callable[[str], None]] = {
    ("ingestion's decoder", "TensorFlow"): is_decoded_by_tensorflow,
    ("ingestion's decoder", "Pillow"): is_decoded_by_pillow,
    ("graph's decoder", "TensorFlow"): is_served,
    ("graph's decoder", "refused"): is_refused,
    ("alpha", "dropped"): loses_its_alpha,
    ("alpha", "black"): loses_its_alpha,
    ("colour profile", "ignored"): ignores_a_profile,
    ("CMYK", "converted"): is_converted,
    ("16 bits", "high byte"): keeps_the_high_byte,
    ("orientation", "turned"): is_turned,
    ("several images", "the first"): shows_the_first,
    ("several images", "quarantined"): is_set_aside,
}
FILES = {
    "ingestion's decoder": PLAIN,
    "graph's decoder": PLAIN,
    "alpha": TRANSPARENT,
    "colour profile": PROFILED,
    "CMYK": CMYK,
    "16 bits": SIXTEEN,
    "orientation": TURNED,
    "several images": SEVERAL,
}


def test_the_table_has_a_row_for_every_format_and_a_check_for_every_column() -> None:
    assert list(TABLE) == list(PLAIN)
    assert list(FILES) == COLUMNS


@pytest.mark.parametrize(("kind", "column"), [(kind, column) for kind in TABLE for column in COLUMNS])
def test_a_cell_of_the_table_is_what_happens(kind: str, column: str) -> None:
    word = TABLE[kind][column]
    if word == "–":
        assert kind not in FILES[column], "there is such a file"
    else:
        CHECKS[column, word](kind)
