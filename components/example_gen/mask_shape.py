"""Rejects masks whose shape the label map would miss: on one side of a threshold, in alpha, in an index."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from common.plurals import counted
from components.example_gen.mask_samples import MaskSamples
from components.example_gen.quarantine import Reason
from components.example_gen.rejection import RejectionError

_OPAQUE = "save it without transparency"
_SHOWN = 4


class _Meaning(Protocol):
    samples: str


def check_shape(mask_HW: npt.NDArray[np.uint8], read: MaskSamples, meaning: _Meaning, dropped_channels: bool) -> None:
    """Raises `RejectionError` if `mask_HW`, made from `read`, loses a shape that the file holds.

    `dropped_channels` means that the file has further channels of unknown meaning, which are not read.
    """
    is_constant = mask_HW.min() == mask_HW.max()
    if is_constant:
        if meaning.samples == "grey":
            _check_one_side(mask_HW, read)
        if read.drawn is not None and read.drawn.ndim == 2 and read.drawn.min() != read.drawn.max():
            _refuse(
                f"the mask has one colour, but its palette indices differ ({read.drawn.min()} to {read.drawn.max()})",
                "the shape is in the palette indices, which have the same colour",
                "use labels of type index",
            )
        if dropped_channels:
            cause = "the mask has one value, and channels of no known meaning that are not read"
            _refuse(cause, cause, "save it as 8-bit grey")
    if read.alpha_HW is not None:
        _check_alpha(mask_HW, read.alpha_HW, is_constant, meaning.samples == "grey")


def _check_one_side(mask_HW: npt.NDArray[np.uint8], read: MaskSamples) -> None:
    side = "at or above" if mask_HW.flat[0] else "below"
    low, high = read.samples.min(), read.samples.max()
    if read.drawn is not None and read.drawn.ndim == 3:
        colours = _some_colours(read.drawn)
        if len(colours) > 1 and (read.drawn != read.drawn[..., :1]).any():
            _refuse(
                f"the mask holds colours ({', '.join(colours)}) whose greys are all {side} the threshold",
                f"the shape is in colours whose greys are all {side} the threshold",
                "use labels of type colours",
            )
    if low != high:
        _refuse(
            f"the mask holds several values, from {low} to {high}, all {side} the threshold",
            f"the mask holds several values that are all {side} the threshold",
            "set labels.at between them, or use labels of type index or values",
        )


def _check_alpha(
    mask_HW: npt.NDArray[np.uint8], alpha_HW: npt.NDArray[np.uint8], is_constant: bool, by_threshold: bool
) -> None:
    low, high = int(alpha_HW.min()), int(alpha_HW.max())
    if low == high:
        if high == 0 and not is_constant:
            cause = "every pixel of the mask is transparent, so that a viewer does not show its shape"
            _refuse(cause, cause, _OPAQUE)
        return
    if is_constant:
        cause = "the shape is in the mask's alpha channel, which is not read: its colours make one class"
        _refuse(
            f"{cause} (alpha from {low} to {high})", cause, "save the shape as grey values or colours, without alpha"
        )
    hidden = alpha_HW == 0
    if not hidden.any():
        return
    hidden_classes, shown_classes = (np.bincount(mask_HW[where], minlength=256) > 0 for where in (hidden, ~hidden))
    if by_threshold and hidden_classes[1]:
        cause = "transparent pixels of the mask are white, so that they would count as class 1"
        _refuse(f"{cause} ({counted(int(mask_HW[hidden].sum()), 'pixel')})", cause, _OPAQUE)
    if (hidden_classes & shown_classes).any():
        cause = "transparent and visible pixels of the mask have the same label, so that part of the shape is in alpha"
        _refuse(f"{cause} ({counted(int(hidden.sum()), 'pixel is', 'pixels are')} transparent)", cause, _OPAQUE)


def _some_colours(colours_HW3: np.ndarray) -> list[str]:
    """Lists a few of the colours."""
    weights = np.array([1 << 16, 1 << 8, 1], np.uint32)
    packed = np.unique(colours_HW3.reshape(-1, 3).astype(np.uint32) @ weights)
    return [f"#{int(value):06x}" for value in packed[:_SHOWN]]


def _refuse(detail: str, cause: str, remedy: str) -> None:
    raise RejectionError(Reason.HIDDEN_SHAPE, f"{detail}; {remedy}", cause, remedy)
