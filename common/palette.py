"""Colours of the classes, the same in the report, in overlays and wherever else a mask is drawn."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from common.records import MAX_CLASSES, VOID

Pixels = npt.NDArray[np.uint8]

# Chosen by eye: dark slate for class 0, which usually is the background; the others differ in lightness as well as in
# hue, so that people with common colour deficiencies can distinguish them.
_FIRST = (
    *("#323c4a", "#e0564f", "#f5dd5c", "#2f8fd6", "#3fb06a", "#f2a33a"),
    *("#8e6bd0", "#4fd0cf", "#ee86c0", "#8a5a32", "#a8d64a", "#b02a7c"),
)
_VOID_DARK, _VOID_LIGHT = (118, 118, 118), (176, 176, 176)
WRONG = (240, 55, 155)
"""Of pixels that were predicted wrongly, on pictures of errors."""
_HATCH = 4  # pixels that a stripe is wide


def class_colours(n: int) -> Pixels:
    """Returns the colours [n, 3] of classes 0…n−1 as sRGB.

    A class keeps its colour for any number of classes: the result is the beginning of one fixed list.

    Raises:
        ValueError: `n` is not in 0…255.
    """
    if not 0 <= n <= MAX_CLASSES:
        raise ValueError(f"there are colours for 0 to {MAX_CLASSES} classes, not {n}")
    return _all_colours()[:n].copy()


def hex_colour(index: int) -> str:
    """Returns the colour of a class as `#rrggbb`."""
    red, green, blue = _all_colours()[index]
    return f"#{red:02x}{green:02x}{blue:02x}"


def colourise(mask_HW: npt.NDArray[np.integer]) -> Pixels:
    """Renders a mask as an image [H, W, 3]; void is hatched in two greys."""
    table = np.zeros((VOID + 1, 3), np.uint8)
    table[:MAX_CLASSES] = _all_colours()
    colours_HWC = table[mask_HW]
    void_HW = mask_HW == VOID
    if void_HW.any():
        colours_HWC[void_HW] = _hatching(*mask_HW.shape)[void_HW]
    return colours_HWC


def overlay(image_HWC: Pixels, mask_HW: npt.NDArray[np.integer], alpha: float = 0.5) -> Pixels:
    """Blends the mask's colours over the image with opacity `alpha`.

    Raises:
        ValueError: mask and image differ in size.
    """
    if image_HWC.shape[:2] != mask_HW.shape:
        raise ValueError(f"image and mask must have the same size, not {image_HWC.shape[:2]} and {mask_HW.shape}")
    mixed = image_HWC.astype(np.float32) * (1 - alpha) + colourise(mask_HW).astype(np.float32) * alpha
    return np.rint(mixed).astype(np.uint8)


def _hatching(height: int, width: int) -> Pixels:
    diagonal = np.add.outer(np.arange(height), np.arange(width)) // _HATCH % 2
    return np.array([_VOID_DARK, _VOID_LIGHT], np.uint8)[diagonal]


@functools.cache
def _all_colours() -> Pixels:
    """Returns the chosen colours, then repeatedly the candidate that is farthest from all before it."""
    first = np.array([[int(text[i : i + 2], 16) for i in (1, 3, 5)] for text in _FIRST], np.uint8)
    candidates = _candidates()
    places = _oklab(candidates)
    taken = _oklab(np.concatenate([first, np.array([_VOID_DARK, _VOID_LIGHT], np.uint8)]))
    distance = np.min(np.linalg.norm(places[:, None] - taken[None], axis=2), axis=1)
    chosen = list(first)
    while len(chosen) < MAX_CLASSES:
        farthest = int(np.argmax(distance))
        chosen.append(candidates[farthest])
        distance = np.minimum(distance, np.linalg.norm(places - places[farthest], axis=1))
    return np.stack(chosen)


def _candidates() -> Pixels:
    """A grid of sRGB without nearly black or white colours, which would vanish on a dark or a light page."""
    steps = np.linspace(0, 255, 18).astype(np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    lightness = _oklab(grid)[:, 0]
    return grid[(lightness > 0.33) & (lightness < 0.93)]


def _oklab(colours: Pixels) -> npt.NDArray[np.float64]:
    """Converts sRGB to Oklab, where Euclidean distance approximates perceived difference (Björn Ottosson, 2020)."""
    s = colours / 255.0
    linear = np.where(s <= 0.04045, s / 12.92, ((s + 0.055) / 1.055) ** 2.4)
    to_lms = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    to_lab = np.array(
        [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ]
    )
    return np.cbrt(linear @ to_lms.T) @ to_lab.T
