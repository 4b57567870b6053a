"""Descriptor of an image, whose Euclidean distances say how different two images are.

It has two parts: how the classes are spread over the image by the model's probabilities, and a thumbnail of its
colours.  A part's distance is a root mean square over its cells, between 0 and 1, so that the distance of two images is
at most √2, and 0 for two copies.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt

CLASS_CELLS = 4
"""Rows and columns of the grid on which probabilities are averaged."""
COLOUR_CELLS = 8
"""Rows and columns of the thumbnail."""

Descriptor = npt.NDArray[np.float32]


def describe(probabilities_HWC: npt.NDArray[np.floating], image_HWC: npt.NDArray[Any]) -> Descriptor:
    """Returns the descriptor of an image.

    Args:
        probabilities_HWC: Class probabilities at any size, which has one cell at least.
        image_HWC: Pixels, uint8, or samples of bands of any type, which are scaled by the range of their type; of
            floating point, which has none, by the image's own.
    """
    classes = grid_means(probabilities_HWC, CLASS_CELLS)
    colours = grid_means(image_HWC, COLOUR_CELLS)
    low, high = _range(image_HWC)
    # The farthest two distributions over classes are √2 apart.
    of_classes = classes / np.sqrt(2 * CLASS_CELLS**2)
    of_colours = (colours - low) / (high - low) / np.sqrt(colours.size)
    return np.concatenate([of_classes.ravel(), of_colours.ravel()]).astype(np.float32)


def grid_means(values_HWC: npt.NDArray[Any], cells: int) -> npt.NDArray[np.float64]:
    """Returns the means [cells, cells, C] over a grid; if a side is shorter than that, neighbouring cells overlap."""
    rows, columns = (_bounds(length, cells) for length in values_HWC.shape[:2])
    return np.array(
        [
            [values_HWC[top:bottom, left:right].mean(axis=(0, 1), dtype=np.float64) for left, right in columns]
            for top, bottom in rows
        ]
    )


def distances(descriptor_D: Descriptor, others_ND: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Returns the distance of a descriptor to each of several."""
    found: npt.NDArray[np.float32] = np.linalg.norm(others_ND - descriptor_D, axis=-1)
    return found


def _bounds(length: int, cells: int) -> list[tuple[int, int]]:
    starts = [index * length // cells for index in range(cells + 1)]
    return [(start, max(end, start + 1)) for start, end in itertools.pairwise(starts)]


def _range(image_HWC: npt.NDArray[Any]) -> tuple[float, float]:
    if image_HWC.dtype.kind == "u":
        return 0.0, float(np.iinfo(image_HWC.dtype).max)
    low, high = float(image_HWC.min()), float(image_HWC.max())
    return low, high if high > low else low + 1
