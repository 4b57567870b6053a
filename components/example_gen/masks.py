"""From a mask file's bytes to the canonical mask: 8-bit grey PNG, classes 0…C−1, `VOID` where nothing counts.

A mask may have another size than its image, if their aspects agree: it is then brought to the image's size by nearest
neighbours.  If the image was turned upright by its Exif tag, the mask may have been drawn on the upright picture, as
nearly every labelling tool shows it, or on the pixels as stored.  Where the aspect tells them apart it decides, and a
mask of stored pixels is turned along; where both fit (a square picture, a half turn) the mask counts as upright.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from components.example_gen.headers import Picture, open_picture, turn
from components.example_gen.images import CanonicalImage, png, rgb
from components.example_gen.label_map import LabelMap, Mask
from components.example_gen.quarantine import Reason
from components.example_gen.rejection import Rejected
from components.records import VOID


@dataclass(frozen=True)
class CanonicalMask:
    """A mask as a record holds it."""

    encoded: bytes
    mask_HW: Mask


def canonical_mask(
    data: bytes, image: CanonicalImage, meaning: LabelMap, max_pixels: int, max_aspect_difference: float
) -> CanonicalMask:
    """The mask in `data`, a file's bytes, for `image`; raises `Rejected` where there is none."""
    picture = open_picture(data, max_pixels)
    turned = _is_drawn_on_stored_pixels(picture, image, max_aspect_difference)
    samples = _samples(picture, meaning.samples)
    mask_HW = meaning.classes(samples)
    fitted_HW = _fit(mask_HW, image, turned)
    if (fitted_HW == VOID).all():
        raise Rejected(Reason.ALL_VOID, "every pixel of the mask is void")
    if fitted_HW is mask_HW and _is_canonical(picture) and np.array_equal(samples, mask_HW):
        return CanonicalMask(data, mask_HW)
    return CanonicalMask(png(Image.fromarray(fitted_HW)), fitted_HW)


def _fit(mask_HW: Mask, image: CanonicalImage, turned: bool) -> Mask:
    """The mask in the image's position and size; the same array where it has both."""
    height, width = mask_HW.shape
    if not turned and (width, height) == image.size:
        return mask_HW
    mask = turn(Image.fromarray(mask_HW), image.orientation) if turned else Image.fromarray(mask_HW)
    return np.asarray(mask.resize(image.size, Image.Resampling.NEAREST))


def _is_drawn_on_stored_pixels(picture: Picture, image: CanonicalImage, tolerance: float) -> bool:
    """Whether the mask must be turned along with its image; raises `Rejected` where it fits neither way."""
    mask_size = (picture.width, picture.height)
    if _same_aspect(mask_size, image.size, tolerance):
        return False
    if image.orientation >= 5 and _same_aspect(mask_size, image.file_size, tolerance):
        return True
    raise Rejected(
        Reason.SIZE_MISMATCH,
        f"the mask has {mask_size[0]}×{mask_size[1]} pixels, the image {image.size[0]}×{image.size[1]}: "
        f"their aspects differ by more than {tolerance:g}",
    )


def _same_aspect(mask: tuple[int, int], image: tuple[int, int], tolerance: float) -> bool:
    one, other = mask[0] * image[1], mask[1] * image[0]
    return abs(one - other) <= tolerance * max(one, other)


def _is_canonical(picture: Picture) -> bool:
    """Whether the file is an 8-bit grey PNG, upright, whose bytes can stay if their values can."""
    return (picture.format, picture.mode, picture.raw_mode, picture.orientation) == ("png", "L", "L", 1)


def _samples(picture: Picture, wanted: str) -> np.ndarray:
    """The mask's samples, upright: `values` [H, W] as stored, `grey` [H, W] of 8 bits, or `rgb` [H, W, 3]."""
    image = picture.decode()
    if wanted == "rgb":
        return np.asarray(rgb(image, picture))
    if wanted == "grey":
        return np.asarray(rgb(image, picture).convert("L"))
    return _values(image, picture)


def _values(image: Image.Image, picture: Picture) -> np.ndarray:
    """Sample values as stored: palette indices, 0 and 1 of 1-bit files, the grey of grey files."""
    if image.mode == "1":
        return np.asarray(image).astype(np.uint8)
    if image.mode == "L":
        steps = {"L;2": 85, "L;4": 17}  # Pillow stretches greys of 2 and 4 bits to 0…255.
        return np.asarray(image) // np.uint8(steps.get(picture.raw_mode, 1))
    if image.mode in ("P", "I", "F") or image.mode.startswith("I;16"):
        return np.asarray(image)
    image_HWC = np.asarray(rgb(image, picture))
    value = image_HWC[..., 0]
    coloured = (image_HWC != value[..., None]).any(axis=-1)
    if coloured.any():
        red, green, blue = image_HWC[coloured][0]
        raise Rejected(
            Reason.UNKNOWN_LABEL,
            f"the mask is coloured ({coloured.sum()} pixels, such as #{red:02x}{green:02x}{blue:02x}), "
            "but its labels are values; use labels of type colours",
        )
    return value
