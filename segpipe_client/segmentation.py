"""Segmentation of an image: mask, fractions of the classes, overlay and outlines."""

from __future__ import annotations

import io
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from .answer import Answer
from .errors import SegmentationError
from .palette import colours
from .pictures import decoded_rgb
from .polygons import feature_collection


@dataclass(frozen=True)
class Segmentation:
    """Segmentation of one image.

    Attributes:
        mask_HW: the class index of each pixel, uint8, at the image's own size, upright.
        mask_png: the same, as the PNG file that the server sent.
        class_names: the name of each index.
        fractions: name → share of the image's pixels, in the order of the indices.
        mean_confidence: the mean probability of the classes that the pixels were given.
        model_version: the version that answered; None if the server does not say, as TensorFlow Serving over REST.
        picture: the encoded image, as it was sent.
    """

    mask_HW: npt.NDArray[np.uint8] = field(repr=False)
    mask_png: bytes = field(repr=False)
    class_names: tuple[str, ...]
    fractions: dict[str, float]
    mean_confidence: float
    model_version: int | None
    picture: bytes = field(repr=False)

    def overlay(self, alpha: float = 0.5) -> Image.Image:
        """Blends the image with the colours of the classes: `alpha` of colour, the rest of the image.

        Raises:
            OSError: Pillow cannot decode the image.
        """
        colours_HWC = colours(len(self.class_names))[self.mask_HW]
        mixed_HWC = decoded_rgb(self.picture).astype(np.float32) * (1 - alpha) + colours_HWC * np.float32(alpha)
        return Image.fromarray(np.rint(mixed_HWC).astype(np.uint8))

    def polygons(self, classes: Collection[str] | None = None, min_pixels: int = 1) -> dict[str, Any]:
        """The outlines of the connected regions as a GeoJSON FeatureCollection (RFC 7946) in pixels.

        Each region of pixels that share an edge is a Polygon along the pixels' borders, with its holes; x goes right
        and y down from the image's upper left corner. Its properties are `class`, `class_index` and `pixels`.

        Args:
            classes: names of the classes wanted; all, if none are given.
            min_pixels: smaller regions are left out.
        """
        unknown = sorted(set(classes or ()) - set(self.class_names))
        if unknown:
            raise ValueError(f"unknown class {unknown[0]!r}; there are {', '.join(self.class_names)}")
        wanted = [index for index, name in enumerate(self.class_names) if classes is None or name in classes]
        return feature_collection(self.mask_HW, self.class_names, wanted, min_pixels)


def make_segmentation(answer: Answer, picture: bytes, classes: Sequence[str] | None) -> Segmentation:
    """The answer decoded; `classes` name the indices where the server does not, or other than it does.

    Raises:
        SegmentationError: it is not in itself consistent.
    """
    count = len(answer.class_fractions_C)
    names = tuple(classes or answer.class_names or (f"class {index}" for index in range(count)))
    if len(names) != count or len(set(names)) != count:
        raise SegmentationError(f"the model has {count} classes, but the names are {', '.join(names)}")
    try:
        with Image.open(io.BytesIO(answer.mask_png)) as image:
            mask_HW = np.array(image)
    except OSError as error:
        raise SegmentationError(f"the server's mask cannot be decoded: {error}") from None
    if mask_HW.dtype != np.uint8 or mask_HW.ndim != 2 or mask_HW.max() >= count:
        raise SegmentationError(f"the server's mask is not an 8-bit image of indices under {count}")
    return Segmentation(
        mask_HW=mask_HW,
        mask_png=answer.mask_png,
        class_names=names,
        fractions=dict(zip(names, map(_as_written, answer.class_fractions_C), strict=True)),
        mean_confidence=_as_written(answer.mean_confidence),
        model_version=answer.version,
        picture=picture,
    )


def _as_written(number: float) -> float:
    """A number of 32 bits as REST writes it, 0.1 and not 0.10000000149011612, so that both protocols give the same."""
    return float(str(np.float32(number)))
