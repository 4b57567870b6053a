"""Mean and standard deviation of a whole scene, which a model that normalises by image needs before its first tile.

The formulas are those of `components.transform.picture_statistics`.  Pixels without data do not count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from components.transform.picture_statistics import counted_statistics
from pipeline.scene.scene_file import Samples, Scene, Window

Values = Callable[[Samples], npt.NDArray[np.float32]]
"""Samples [N, C] → the values 0…255 that the network gets."""

_PIXELS_AT_ONCE = 4_000_000
_LEVELS = {"uint8": 1 << 8, "uint16": 1 << 16}


class SceneStatistics(NamedTuple):
    """Mean and standard deviation of each band [C], in the network's values 0…255."""

    mean_C: npt.NDArray[np.float32]
    std_C: npt.NDArray[np.float32]


def scene_statistics(
    scene: Scene, depth: str, values: Values | None, on_window: Callable[[Window], None]
) -> SceneStatistics:
    """Reads a scene once, by windows.

    Args:
        scene: The scene.
        depth: Type of the samples that the model takes.
        values: Scales bands; None for 8-bit RGB, whose samples are the values.
        on_window: Called after each window.
    """
    if depth in _LEVELS:
        return _of_counts(*_counts(scene, _LEVELS[depth], on_window), _level_values(depth, values))
    assert values is not None
    return _of_sums(scene, values, on_window)


def _known_pixels(scene: Scene, on_window: Callable[[Window], None]) -> Iterator[Samples]:
    """Yields the samples [N, C] of the pixels with data, window by window."""
    for window in scene.windows(max(1, _PIXELS_AT_ONCE // scene.size_2[1])):
        image_HWC = scene.read(window)
        valid_HW = scene.read_valid(window)
        yield image_HWC.reshape(-1, image_HWC.shape[-1]) if valid_HW is None else image_HWC[valid_HW]
        on_window(window)


def _counts(scene: Scene, levels: int, on_window: Callable[[Window], None]) -> tuple[npt.NDArray[np.int64], np.int64]:
    """Returns how many pixels have each level [C, V], and their number."""
    total_CV: Any = 0
    pixels = np.int64(0)
    for samples_NC in _known_pixels(scene, on_window):
        total_CV = total_CV + np.stack([np.bincount(band_N, minlength=levels) for band_N in samples_NC.T])
        pixels += np.int64(len(samples_NC))
    return total_CV, pixels


def _level_values(depth: str, values: Values | None) -> Callable[[int], npt.NDArray[np.float64]]:
    """Returns a function from a number of bands to the value [C, V] of each level of each band."""
    level_V = np.arange(_LEVELS[depth])

    def of_bands(bands: int) -> npt.NDArray[np.float64]:
        level_VC = np.repeat(level_V[:, np.newaxis], bands, axis=1)
        return (level_VC if values is None else values(level_VC.astype(depth))).T.astype(np.float64)

    return of_bands


def _of_counts(
    count_CV: npt.NDArray[np.int64], pixels: np.int64, values: Callable[[int], npt.NDArray[np.float64]]
) -> SceneStatistics:
    both = [
        counted_statistics(count_V, value_V, pixels)
        for count_V, value_V in zip(count_CV, values(len(count_CV)), strict=True)
    ]
    mean_C, std_C = (np.array([float(one) for one in column], np.float32) for column in zip(*both, strict=True))
    return SceneStatistics(mean_C, std_C)


def _of_sums(scene: Scene, values: Values, on_window: Callable[[Window], None]) -> SceneStatistics:
    """Merges the windows' means and squared deviations (Chan, Golub, LeVeque 1983), which loses no digits."""
    pixels, mean_C, deviation_C = 0, np.zeros(1), np.zeros(1)
    for samples_NC in _known_pixels(scene, on_window):
        if not (new := len(samples_NC)):
            continue
        value_NC = values(samples_NC).astype(np.float64)
        window_C = value_NC.mean(axis=0)
        step_C, both = window_C - mean_C, pixels + new
        deviation_C = deviation_C + np.square(value_NC - window_C).sum(axis=0) + np.square(step_C) * pixels * new / both
        mean_C, pixels = mean_C + step_C * new / both, both
    std_C = np.sqrt(deviation_C / max(pixels, 1))
    return SceneStatistics(mean_C.astype(np.float32), std_C.astype(np.float32))
