"""Converts a mask file's bytes to the canonical mask: 8-bit grey PNG, classes 0…C−1, `VOID` for ignored pixels.

A mask may have a different size from its image if their aspects agree: it is resized to the image's size by nearest
neighbours.  If the image was turned upright by its Exif tag, the mask may have been drawn on the upright image, as
nearly every labelling tool shows it, or on the pixels as stored.  If the aspect ratio decides between them, a
mask of stored pixels is turned with its image; if both fit (a square image, a half turn) the mask counts as upright.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from common.records import VOID
from components.example_gen.headers import EncodedImage, open_image, turn
from components.example_gen.images import CanonicalImage, png
from components.example_gen.label_map import Labelled, LabelMap, Mask
from components.example_gen.mask_samples import PaletteUse, is_lossy, read_samples
from components.example_gen.mask_shape import check_shape
from components.example_gen.quarantine import Reason
from components.example_gen.rejection import RejectionError


@dataclass(frozen=True)
class CanonicalMask:
    """A mask as a record holds it."""

    encoded: bytes
    mask_HW: Mask
    labelled: Labelled
    """The mask at the size of its file, and the values that were read."""
    palette: PaletteUse | None = None


def canonical_mask(
    data: bytes, image: CanonicalImage, meaning: LabelMap, max_pixels: int, max_aspect_difference: float
) -> CanonicalMask:
    """Converts the mask file `data` for `image`; raises `RejectionError` if it cannot be used."""
    encoded_image = open_image(data, max_pixels)
    turned = _is_drawn_on_stored_pixels(encoded_image, image, max_aspect_difference)
    _refuse_lossy(data, encoded_image, meaning)
    read = read_samples(data, encoded_image, meaning.samples)
    labelled = meaning.read(read.samples)
    mask_HW = labelled.mask_HW
    check_shape(mask_HW, read, meaning, "X" in encoded_image.raw_mode)
    fitted_HW = _fit(mask_HW, image, turned)
    if (fitted_HW == VOID).all():
        values = ", ".join((labelled.named or labelled.unknown).keys())
        cause, remedy = "every pixel of the mask is void", "see data.labels (which values are void?)"
        raise RejectionError(Reason.ALL_VOID, f"{cause} ({values}); {remedy}", cause, remedy)
    if fitted_HW is mask_HW and _is_canonical(encoded_image) and np.array_equal(read.samples, mask_HW):
        return CanonicalMask(data, mask_HW, labelled)
    return CanonicalMask(png(Image.fromarray(fitted_HW)), fitted_HW, labelled, read.palette)


def classes_in(data: bytes, meaning: LabelMap, max_pixels: int) -> frozenset[int]:
    """Returns the classes in the mask file `data`; raises `RejectionError` if it cannot be read."""
    mask_HW = meaning.read(read_samples(data, open_image(data, max_pixels), meaning.samples).samples).mask_HW
    return frozenset(np.unique(mask_HW).tolist()) - {VOID}


def _refuse_lossy(data: bytes, encoded_image: EncodedImage, meaning: LabelMap) -> None:
    if meaning.samples == "values" and meaning.exact and is_lossy(data, encoded_image):
        cause = f"the mask's compression ({encoded_image.format}) changes values, which the labels take as they are"
        remedy = "save it as PNG, or use labels of type threshold"
        raise RejectionError(Reason.UNSUPPORTED_FORMAT, f"{cause}; {remedy}", cause, remedy)


def _fit(mask_HW: Mask, image: CanonicalImage, turned: bool) -> Mask:
    """Turns and resizes the mask to match the image; returns the same array if it already does."""
    height, width = mask_HW.shape
    if not turned and (width, height) == image.size:
        return mask_HW
    mask = turn(Image.fromarray(mask_HW), image.orientation) if turned else Image.fromarray(mask_HW)
    return np.asarray(mask.resize(image.size, Image.Resampling.NEAREST))


def _is_drawn_on_stored_pixels(encoded_image: EncodedImage, image: CanonicalImage, tolerance: float) -> bool:
    """Returns whether the mask must be turned with its image; raises `RejectionError` if it fits neither way."""
    mask_size = (encoded_image.width, encoded_image.height)
    if _same_aspect(mask_size, image.size, tolerance):
        return False
    if image.orientation >= 5 and _same_aspect(mask_size, image.file_size, tolerance):
        return True
    raise RejectionError(
        Reason.SIZE_MISMATCH,
        f"the mask has {mask_size[0]}×{mask_size[1]} pixels, the image {image.size[0]}×{image.size[1]}: "
        f"their aspects differ by more than {tolerance:g}",
    )


def _same_aspect(mask: tuple[int, int], image: tuple[int, int], tolerance: float) -> bool:
    one, other = mask[0] * image[1], mask[1] * image[0]
    return abs(one - other) <= tolerance * max(one, other)


def _is_canonical(encoded_image: EncodedImage) -> bool:
    """Returns whether the file is an upright 8-bit grey PNG, whose bytes are kept if no value changes."""
    return (encoded_image.format, encoded_image.mode, encoded_image.raw_mode, encoded_image.orientation) == (
        "png",
        "L",
        "L",
        1,
    )
