"""What a model says about the pixels of a labelled image, collected class by class and window by window.

Nine bytes a pixel are held, whatever the number of classes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from common.records import VOID
from pipeline.scene.scene_file import Window

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.uint8]


class Evidence:
    """Planes of a mask's size; those of the model are complete once each class was added to each window."""

    def __init__(self, label_HW: Mask) -> None:
        self.label_HW = label_HW
        self.given_HW: Floats = np.zeros(label_HW.shape, np.float32)
        """Probability of the label; 0 where it is void."""
        self.class_HW: Mask = np.zeros(label_HW.shape, np.uint8)
        """The argmax class; the first on a tie, as in the served mask."""
        self.confidence_HW: Floats = np.full(label_HW.shape, -1, np.float32)
        """Its probability."""

    @property
    def is_labelled_HW(self) -> npt.NDArray[np.bool_]:
        """Pixels that are not void."""
        return self.label_HW != VOID

    def add(self, index: int, window: Window, probability_HW: Floats) -> None:
        """Adds the probabilities of a class in a window; classes are added in ascending order."""
        at = np.s_[window.top : window.bottom, window.left : window.right]
        is_label_HW = self.label_HW[at] == index
        self.given_HW[at][is_label_HW] = probability_HW[is_label_HW]
        is_likelier_HW = probability_HW > self.confidence_HW[at]
        self.class_HW[at][is_likelier_HW] = index
        self.confidence_HW[at][is_likelier_HW] = probability_HW[is_likelier_HW]
