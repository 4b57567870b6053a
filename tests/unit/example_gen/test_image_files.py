"""Drawn image files: the record's pixels are the served graph's, and a viewer's; or the file is set aside."""

from __future__ import annotations

import io

import numpy as np
from hypothesis import given, settings
from PIL import Image

from components.example_gen.images import canonical_image
from components.example_gen.quarantine import Reason
from components.example_gen.rejection import RejectionError
from tests.support.image_files import (
    TURNS,
    ImageFile,
    animated_pngs,
    bmp_files,
    gif_files,
    image_files,
    jpeg_files,
    png_files,
    tiff_files,
    webp_files,
)
from tests.support.served_graph import served_pixels, served_refusal

LIMIT = 1_000_000
many = settings(max_examples=50, deadline=None)


def assert_is_read_rightly(file: ImageFile) -> None:
    """The file is set aside with a reason, or its record's pixels are right."""
    try:
        image = canonical_image(file.data, LIMIT)
    except RejectionError as rejected:
        assert file.images > 1, rejected
        assert rejected.reason is Reason.SEVERAL_IMAGES
        assert f"holds {file.images} " in rejected.detail
        assert rejected.cause
        assert rejected.remedy
        return
    assert file.images == 1
    assert image.orientation == file.orientation
    np.testing.assert_array_equal(image.image_HWC, served_pixels(image.encoded))
    if not served_refusal(file.data):
        np.testing.assert_array_equal(image.image_HWC, served_pixels(file.data))
    if file.shown_HWC is not None:
        np.testing.assert_array_equal(image.image_HWC, file.shown_HWC)


@given(png_files() | animated_pngs())
@many
def test_a_png_is_read_as_the_served_graph_reads_it_and_as_a_viewer_shows_it(file: ImageFile) -> None:
    assert_is_read_rightly(file)
    assert not served_refusal(file.data)


@given(jpeg_files())
@many
def test_a_jpeg_is_read_as_the_served_graph_reads_it_and_nearly_as_pillow_does(file: ImageFile) -> None:
    assert_is_read_rightly(file)
    assert not served_refusal(file.data)
    difference = canonical_image(file.data, LIMIT).image_HWC.astype(int) - TURNS[file.orientation](by_pillow(file))
    difference = np.abs(difference)
    assert difference.mean() < 7, "two decoders, whose inverse transforms round otherwise"


def by_pillow(file: ImageFile) -> np.ndarray:
    """Pixels as stored; without Adobe's mark, four channels are not inverted, which Pillow takes them to be."""
    image = Image.open(io.BytesIO(file.data))
    if "without" in file.note:
        image = Image.fromarray(255 - np.asarray(image), "CMYK")
    return np.asarray(image.convert("RGB"))


@given(gif_files())
@many
def test_a_gif_is_read_as_the_served_graph_reads_it_and_as_a_viewer_shows_it(file: ImageFile) -> None:
    assert_is_read_rightly(file)
    assert not served_refusal(file.data)


@given(bmp_files())
@many
def test_a_bmp_is_read_as_a_viewer_shows_it_and_the_served_graph_takes_24_bits_alone(file: ImageFile) -> None:
    assert_is_read_rightly(file)
    plain = file.note.startswith("24 bits") and "header 12," not in file.note
    assert bool(served_refusal(file.data)) != plain


@given(tiff_files())
@many
def test_a_tiff_is_read_as_a_viewer_shows_it_and_not_by_the_served_graph(file: ImageFile) -> None:
    assert_is_read_rightly(file)
    assert served_refusal(file.data)


@given(webp_files().filter(lambda file: file.images > 0))
@many
def test_a_webp_is_read_as_a_viewer_shows_it_and_not_by_the_served_graph(file: ImageFile) -> None:
    assert_is_read_rightly(file)
    assert served_refusal(file.data)


@given(image_files())
@many
def test_any_image_is_set_aside_or_read_rightly(file: ImageFile) -> None:
    assert_is_read_rightly(file)
