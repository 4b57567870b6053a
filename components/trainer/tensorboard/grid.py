"""A grid of images to look at: one row an image, with its truth, its prediction and its errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from common.palette import WRONG, Pixels, colourise
from common.records import VOID
from segpipe_client.bands import stretched

_GAP = 4
_PAPER = 255
_RIGHT = 0.35
"""Opacity of the image where it is right: what is wrong stands out."""


def draw_grid(images_NHWC: npt.NDArray[Any], truth_NHW: Pixels, predicted_NHW: Pixels) -> Pixels:
    """Returns a picture of N rows: image, truth, prediction, and the image with wrong pixels in pink.

    Images are RGB uint8 [N, H, W, 3], or values of any other kind, which are stretched to be seen.  Void pixels are
    hatched in the truth, and are never wrong.
    """
    rows = [
        _row([image, colourise(truth), colourise(predicted), _errors(image, truth, predicted)])
        for image, truth, predicted in zip(map(_shown, images_NHWC), truth_NHW, predicted_NHW, strict=True)
    ]
    gap = np.full((_GAP, rows[0].shape[1], 3), _PAPER, np.uint8)
    return np.concatenate([part for row in rows for part in (gap, row)][1:], axis=0)


def _shown(image_HWC: npt.NDArray[Any]) -> Pixels:
    if image_HWC.dtype == np.uint8 and image_HWC.shape[-1] == 3:
        return image_HWC
    return np.broadcast_to(stretched(image_HWC), (*image_HWC.shape[:2], 3))


def _row(panels: list[Pixels]) -> Pixels:
    gap = np.full((panels[0].shape[0], _GAP, 3), _PAPER, np.uint8)
    return np.concatenate([part for panel in panels for part in (gap, panel)][1:], axis=1)


def _errors(image_HWC: Pixels, truth_HW: Pixels, predicted_HW: Pixels) -> Pixels:
    faded_HWC = np.rint(_RIGHT * image_HWC + (1 - _RIGHT) * _PAPER).astype(np.uint8)
    faded_HWC[(truth_HW != predicted_HW) & (truth_HW != VOID)] = WRONG
    return faded_HWC
