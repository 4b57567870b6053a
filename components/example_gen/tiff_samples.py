"""Samples of a TIFF file as stored, in any number of bands and any depth, read by tifffile and imagecodecs.

Pillow reads neither five bands, nor 16 bits of several, nor big-endian BigTIFF.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tifffile

from components.example_gen.headers import check_size
from components.example_gen.quarantine import Reason
from components.example_gen.rejection import RejectionError
from components.example_gen.tiff import MAX_DIRECTORIES, TiffFile


class StoredSamples(NamedTuple):
    """Samples of a file, not yet turned upright."""

    samples_HWB: npt.NDArray[Any]
    orientation: int


def read_tiff(data: bytes, bands: int, max_pixels: int) -> StoredSamples:
    """Reads the samples of all pages of a TIFF file; allocates nothing before the headers have passed.

    Raises:
        RejectionError: the file is damaged or too large, or has not `bands` bands.
    """
    try:
        own = TiffFile(data)
        if (images := own.images()) > bands:  # A cycle in their list is an error of its own.
            check_count(images, bands)
        orientation = own.orientation()
        with tifffile.TiffFile(io.BytesIO(data)) as tiff:
            pages = [page for page in _pages(tiff) if not _is_copy(page)]
            _check(pages, data, bands, max_pixels)
            return StoredSamples(np.concatenate([_samples(page) for page in pages], axis=-1), orientation)
    except RejectionError:
        raise
    except Exception as error:  # A parser or a decoder may raise anything on untrusted bytes.
        raise RejectionError(Reason.UNREADABLE, f"the tiff data cannot be decoded: {error}") from error


def check_count(found: int, bands: int) -> None:
    """Raises `RejectionError` if a file has another number of bands than are named."""
    if found != bands:
        cause = f"the file has {found} {'band' if found == 1 else 'bands'}, and data.bands.names has {bands}"
        raise RejectionError(Reason.UNSUPPORTED_FORMAT, cause, cause, "name all bands of the files in their order")


def _pages(tiff: tifffile.TiffFile) -> Iterator[Any]:
    """Yields the pages one after the other: their number would be found by walking through all of them first."""
    for index in range(MAX_DIRECTORIES):
        try:
            yield tiff.pages.get(index)
        except IndexError:
            return


def _is_copy(page: Any) -> bool:
    """Returns whether a page is a copy of lower resolution or a transparency mask."""
    return bool(page.is_reduced or page.is_mask)


def _check(pages: Sequence[Any], data: bytes, bands: int, max_pixels: int) -> None:
    check_count(sum(page.samplesperpixel for page in pages), bands)
    first = pages[0]
    for number, page in enumerate(pages, 1):
        check_size(page.imagewidth, page.imagelength, max_pixels)
        if page.is_tiled:  # Whole tiles are decoded, however small the image.
            check_size(page.tilewidth, page.tilelength, max_pixels)
        _check_page(page)
        if (page.imagewidth, page.imagelength, page.dtype) != (first.imagewidth, first.imagelength, first.dtype):
            raise RejectionError(
                Reason.UNSUPPORTED_FORMAT, f"page {number} of the tiff file differs from page 1 in size or type"
            )
        if any(start + size > len(data) for start, size in zip(page.dataoffsets, page.databytecounts, strict=True)):
            raise RejectionError(Reason.UNREADABLE, f"the tiff file is cut off in page {number}")


def _check_page(page: Any) -> None:
    if page.dtype is None or page.imagedepth != 1:
        raise RejectionError(Reason.UNSUPPORTED_FORMAT, "the tiff file has samples of an unknown type, or a volume")
    if page.photometric == tifffile.PHOTOMETRIC.PALETTE:
        raise RejectionError(
            Reason.UNSUPPORTED_FORMAT, "the tiff file has a palette, whose indices are not samples; save it as RGB"
        )
    if _is_inverted(page) and page.dtype.kind != "u":
        raise RejectionError(
            Reason.UNSUPPORTED_FORMAT,
            f"the tiff file has white as zero and {page.dtype} samples; save it as MINISBLACK",
        )


def _is_inverted(page: Any) -> bool:
    return bool(page.photometric == tifffile.PHOTOMETRIC.MINISWHITE)


def _samples(page: Any) -> npt.NDArray[Any]:
    """Returns the samples of a page, [H, W, samples of a pixel]."""
    planes_SDHWC = page.asarray(squeeze=False, maxworkers=1)  # S planes or C samples side by side; depth 1.
    samples_HWB = planes_SDHWC[:, 0].transpose(1, 2, 0, 3).reshape(*planes_SDHWC.shape[2:4], -1)
    if not _is_inverted(page):
        return samples_HWB
    white = samples_HWB.dtype.type((1 << page.bitspersample) - 1)
    return np.asarray(white - samples_HWB)
