"""Sizes of the objects in the masks, to warn of those that resizing would lose."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

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
        zoom = resized_by(self._transform, *mask_HW.shape)
        for index, widths in object_widths(mask_HW, len(self._classes)).items():
            for column, value in (("", ""), *slices.items()):
                self._widths[index, column, value].append(zoom * widths)

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
                f"{where}; objects under {SMALLEST:g} pixels are lost: use transform.mode crop, or a larger size; "
                "segpipe plan proposes one"
            )

    def _median(self, index: int, column: str, value: str) -> float:
        widths = self._widths.get((index, column, value))
        return float(np.median(np.concatenate(widths))) if widths else float("inf")


def object_widths(mask_HW: Mask, num_classes: int) -> dict[int, npt.NDArray[np.float64]]:
    """Returns the width of each object of each class that occurs: the root of a connected component's area."""
    widths = {}
    for index in np.unique(mask_HW).tolist():
        if index < num_classes:
            components_HW, _ = ndimage.label(mask_HW == index)
            widths[index] = np.sqrt(np.bincount(components_HW.ravel())[1:])
    return widths


def resized_by(transform: TransformConfig, height: int, width: int) -> float:
    """Returns the factor on the root of an area when an image of this size is resized."""
    factors = transform.height / height, transform.width / width
    return min(factors) if transform.aspect == "letterbox" else float(np.sqrt(np.prod(factors)))
