"""The sliding window of `components.trainer.inference.tiling` over a scene that is read and decided by windows.

The same grid, weights, order of additions and batches of tiles in float32, so that the classes are those of the
served graph, pixel for pixel.  Axes are named as there: `A` along the direction (the scene's longer side), `B` across.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from components.trainer.inference.config import BAND_BYTES
from components.trainer.inference.grid import lay_tiles
from pipeline.scene.scene_file import Samples, Window

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Network = Callable[[Samples], Floats]
"""Tiles [N, H, W, bands] → probabilities [N, H, W, C]."""

_FLOAT_BYTES = 4


class TileSettings(NamedTuple):
    """Settings of the sliding window, as the model has them."""

    tile_2: tuple[int, int]
    num_classes: int
    overlap: float
    batch: int


class Strip(NamedTuple):
    """Decided pixels: the argmax class of each, and its probability."""

    window: Window
    class_HW: npt.NDArray[np.uint8]
    confidence_HW: Floats


class _Side(NamedTuple):
    """`components.trainer.inference.grid.Side` in NumPy."""

    length: int
    padded: int
    margin: int
    position_NT: Ints
    weight_NT: Floats


class TileWalk:
    """One pass of the sliding window."""

    def __init__(self, size_2: tuple[int, int], settings: TileSettings) -> None:
        """Lays the tiles over a scene of `size_2`.

        Raises:
            ValueError: the band of probabilities would take more than `BAND_BYTES`; the message is for users.
        """
        self._settings = settings
        self._is_wide = size_2[1] > size_2[0]
        rows, columns = (_side(size_2[i], settings.tile_2[i], settings.overlap) for i in range(2))
        self._along, self._across = (columns, rows) if self._is_wide else (rows, columns)
        _check_band(self._across.padded * self._along.position_NT.shape[1], settings.num_classes)

    @property
    def steps(self) -> int:
        """Number of strips that are decided one after the other."""
        return len(self._along.position_NT)

    @property
    def tiles(self) -> int:
        """Number of tiles in all."""
        return self.steps * len(self._across.position_NT)

    def decide(self, read: Callable[[Window], Samples], network: Network) -> Iterator[Strip]:
        """Reads the scene and yields it decided, strip by strip along the longer side."""
        for window, probabilities_HWC in self.probabilities(read, network):
            class_HW = probabilities_HWC.argmax(axis=-1).astype(np.uint8)
            yield Strip(window, class_HW, probabilities_HWC.max(axis=-1))

    def probabilities(self, read: Callable[[Window], Samples], network: Network) -> Iterator[tuple[Window, Floats]]:
        """Yields the blended probabilities [H, W, C] of each strip, whose array is overwritten by the next one."""
        along, across = self._along, self._across
        band_BAC = np.zeros([across.padded, along.position_NT.shape[1], self._settings.num_classes], np.float32)
        for step in range(self.steps):
            self._add_tiles(step, band_BAC, self._strip(step, read), network)
            start = int(along.position_NT[step, 0])
            end = along.padded if step + 1 == self.steps else int(along.position_NT[step + 1, 0])
            finished = end - start
            # Only a scene shorter than a tile has margins along the direction, and then this is the only step.
            done_BAC = band_BAC[
                across.margin : across.margin + across.length,
                along.margin : min(finished, along.margin + along.length),
            ]
            yield self._window(start, start + done_BAC.shape[1]), done_BAC if self._is_wide else done_BAC.swapaxes(0, 1)
            band_BAC[:, :-finished] = band_BAC[:, finished:]
            band_BAC[:, -finished:] = 0

    def _strip(self, step: int, read: Callable[[Window], Samples]) -> Samples:
        """Returns the samples [A, B, bands] under the tiles at a step, reflected beyond the scene's ends."""
        rows_A = _mirrored(self._along.position_NT[step] - self._along.margin, self._along.length)
        first, last = int(rows_A.min()), int(rows_A.max()) + 1
        samples_HWC = read(self._window(first, last))
        return (samples_HWC.swapaxes(0, 1) if self._is_wide else samples_HWC)[rows_A - first]

    def _add_tiles(self, step: int, band_BAC: Floats, strip_ABC: Samples, network: Network) -> None:
        """Adds the weighted predictions of the tiles at a step, `batch` at a time."""
        across, weight_A = self._across, self._along.weight_NT[step]
        for first in range(0, len(across.position_NT), self._settings.batch):
            position_NB = across.position_NT[first : first + self._settings.batch]
            columns_NB = _mirrored(position_NB - across.margin, across.length)
            tile_NBAC = self._probabilities(strip_ABC[:, columns_NB], network)
            for tile_BAC, position_B, weight_B in zip(tile_NBAC, position_NB, across.weight_NT[first:], strict=False):
                weight_BA = weight_B[:, np.newaxis] * weight_A
                band_BAC[position_B[0] : position_B[-1] + 1] += tile_BAC * weight_BA[..., np.newaxis]

    def _probabilities(self, tile_ANBC: Samples, network: Network) -> Floats:
        """Returns probabilities [N, B, A, C] of tiles that were cut out as [A, N, B, bands]."""
        image_NHWC = tile_ANBC.transpose([1, 2, 0, 3] if self._is_wide else [1, 0, 2, 3])
        probabilities_NHWC = network(np.ascontiguousarray(image_NHWC))
        return probabilities_NHWC if self._is_wide else probabilities_NHWC.swapaxes(1, 2)

    def _window(self, first: int, last: int) -> Window:
        """Returns the window of these positions along the direction, and of the whole length across."""
        length = self._across.length
        return Window(0, length, first, last) if self._is_wide else Window(first, last, 0, length)


def _side(length: int, tile: int, overlap: float) -> _Side:
    side = lay_tiles(length, tile, overlap)
    position_NT = side.position_NT.numpy().astype(np.int64)
    return _Side(length, int(side.padded), int(side.margin), position_NT, side.weight_NT.numpy())


def _mirrored(position: Ints, length: int) -> Ints:
    """As `components.trainer.inference.grid.mirrored`."""
    folded = position % (2 * length)
    return np.minimum(folded, 2 * length - 1 - folded)


def _check_band(pixels: int, num_classes: int) -> None:
    size = pixels * num_classes * _FLOAT_BYTES
    if size > BAND_BYTES:
        raise ValueError(
            f"the sliding window would hold {size / 1e9:.1f} GB of probabilities, over the limit of "
            f"{BAND_BYTES / 1e9:.0f} GB; cut the scene along its shorter side"
        )
