"""Sizes of the objects in the masks, to warn of those that resizing would lose."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage
from tensorflow.core.example import example_pb2

from common import records
from components.example_gen.label_map import Mask
from components.transform.config import TransformConfig

SMALLEST = 4.0
"""Width in pixels of an object below which a network hardly sees its shape."""

_Place = tuple[int, str, str]
"""Class, slicing column and value; column and value are empty for all images."""


class ObjectSizes:
    """Widths that objects have after resizing: the root of the area of each connected component."""

    def __init__(self, transform: TransformConfig, classes: Sequence[str]) -> None:
        self._transform = transform
        self._classes = classes
        self._widths: defaultdict[_Place, list[npt.NDArray[np.float64]]] = defaultdict(list)

    def add(self, mask_HW: Mask, slices: Mapping[str, str]) -> None:
        """Measures the objects of one mask."""
        zoom = self._zoom(*mask_HW.shape)
        for index in np.unique(mask_HW).tolist():
            if index >= len(self._classes):
                continue
            components_HW, _ = ndimage.label(mask_HW == index)
            widths = zoom * np.sqrt(np.bincount(components_HW.ravel())[1:])
            for column, value in (("", ""), *slices.items()):
                self._widths[index, column, value].append(widths)

    def warnings(self) -> Iterator[str]:
        """Yields a sentence for each class whose median object is too small, and for slice values if only there."""
        if self._transform.crops:
            return
        size = f"{self._transform.height}×{self._transform.width}"
        for index, name in enumerate(self._classes):
            median = self._median(index, "", "")
            small = [
                f"{column}={value} {self._median(index, column, value):.1f}"
                for place, column, value in sorted(self._widths)
                if place == index and column and self._median(index, column, value) < SMALLEST
            ]
            if median >= SMALLEST and not small:
                continue
            where = f" ({', '.join(small)})" if small else ""
            yield (
                f"transform: resized to {size}, the median object of class {name!r} is {median:.1f} pixels wide"
                f"{where}; objects under {SMALLEST:g} pixels are lost: use transform.mode crop, or a larger size"
            )

    def _median(self, index: int, column: str, value: str) -> float:
        widths = self._widths.get((index, column, value))
        return float(np.median(np.concatenate(widths))) if widths else float("inf")

    def _zoom(self, height: int, width: int) -> float:
        """Returns the factor on the root of an area."""
        factors = self._transform.height / height, self._transform.width / width
        return min(factors) if self._transform.aspect == "letterbox" else float(np.sqrt(np.prod(factors)))


def mask_in(record: bytes) -> Mask:
    """Returns the mask of a serialised record."""
    feature = example_pb2.Example.FromString(record).features.feature
    encoded: bytes = feature[records.MASK_ENCODED].bytes_list.value[0]
    with Image.open(io.BytesIO(encoded)) as image:
        return np.asarray(image)
