"""Disagreement of two models about an image: the query by committee (Seung et al. 1992) with two members."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from components.evaluator.counts import confusion_counts, iou, mean_over_present

Mask = npt.NDArray[np.uint8]


def disagreement(one_HW: Mask, other_HW: Mask, num_classes: int) -> float:
    """Returns 1 − the mean IoU of two predicted masks over the classes that one of them has."""
    return 1 - float(mean_over_present(iou(confusion_counts(one_HW, other_HW, num_classes))))
