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

from common.records import VOID
from components.example_gen.headers import Picture, open_picture, turn
from components.example_gen.images import CanonicalImage, png
from components.example_gen.label_map import Labelled, LabelMap, Mask
from components.example_gen.mask_samples import PaletteUse, is_lossy, read_samples
from components.example_gen.mask_shape import check_shape
from components.example_gen.quarantine import Reason
from components.example_gen.rejection import Rejected


@dataclass(frozen=True)
class CanonicalMask:
    """A mask as a record holds it."""

    encoded: bytes
    mask_HW: Mask
    labelled: Labelled
    """The mask in the size of its file, and the values that were read."""
    palette: PaletteUse | None = None


def canonical_mask(
    data: bytes, image: CanonicalImage, meaning: LabelMap, max_pixels: int, max_aspect_difference: float
) -> CanonicalMask:
    """The mask in `data`, a file's bytes, for `image`; raises `Rejected` where there is none."""
    picture = open_picture(data, max_pixels)
    turned = _is_drawn_on_stored_pixels(picture, image, max_aspect_difference)
    _refuse_lossy(data, picture, meaning)
    read = read_samples(data, picture, meaning.samples)
    labelled = meaning.read(read.samples)
    mask_HW = labelled.mask_HW
    check_shape(mask_HW, read, meaning, "X" in picture.raw_mode)
    fitted_HW = _fit(mask_HW, image, turned)
    if (fitted_HW == VOID).all():
        values = ", ".join((labelled.named or labelled.unknown).keys())
        cause, remedy = "every pixel of the mask is void", "see data.labels (which values are void?)"
        raise Rejected(Reason.ALL_VOID, f"{cause} ({values}); {remedy}", cause, remedy)
    if fitted_HW is mask_HW and _is_canonical(picture) and np.array_equal(read.samples, mask_HW):
        return CanonicalMask(data, mask_HW, labelled)
    return CanonicalMask(png(Image.fromarray(fitted_HW)), fitted_HW, labelled, read.palette)


def _refuse_lossy(data: bytes, picture: Picture, meaning: LabelMap) -> None:
    if meaning.samples == "values" and meaning.exact and is_lossy(data, picture):
        cause = f"the mask's compression ({picture.format}) changes values, which the labels take as they are"
        remedy = "save it as PNG, or use labels of type threshold"
        raise Rejected(Reason.UNSUPPORTED_FORMAT, f"{cause}; {remedy}", cause, remedy)


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
