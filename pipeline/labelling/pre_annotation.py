"""A predicted mask as the start of an annotation in a labelling tool."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class PreAnnotation(NamedTuple):
    """An image to label, with the mask that the model predicts."""

    path: str
    mask_HW: npt.NDArray[np.uint8]
    score: float
    """The model's mean confidence."""

    def classes(self) -> Iterator[tuple[int, npt.NDArray[np.bool_]]]:
        """Yields each class that occurs, without the first, which counts as background, and its pixels."""
        for index in np.unique(self.mask_HW).tolist():
            if index:
                yield index, self.mask_HW == index
