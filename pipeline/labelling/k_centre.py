"""Greedy k-centre choice: images that are spread over all candidates.

The core-set approach to active learning (Sener & Savarese, Active Learning for Convolutional Neural Networks, ICLR
2018, algorithm 1): each next image is the one whose nearest chosen image is farthest.  The largest distance of a
candidate to its nearest chosen image is then at most twice that of the best possible choice (Gonzalez 1985).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.labelling.descriptor import distances


class Centre(NamedTuple):
    """A chosen candidate."""

    place: int
    """Its index among the candidates."""
    distance: float | None
    """To the nearest one that was chosen before; `None` for the first."""


def k_centre(descriptor_ND: npt.NDArray[np.float32], number: int) -> list[Centre]:
    """Returns `number` candidates, or all if there are fewer, in the order of their choice, from the first one on.

    Of several that are equally far, the first is taken, so the choice depends on nothing but the candidates' order.
    """
    if not len(descriptor_ND) or number < 1:
        return []
    chosen = [Centre(0, None)]
    nearest_N = distances(descriptor_ND[0], descriptor_ND)
    is_left_N = np.arange(len(descriptor_ND)) > 0
    while len(chosen) < min(number, len(descriptor_ND)):
        index = int(np.argmax(np.where(is_left_N, nearest_N, -1)))
        chosen.append(Centre(index, float(nearest_N[index])))
        is_left_N[index] = False
        nearest_N = np.minimum(nearest_N, distances(descriptor_ND[index], descriptor_ND))
    return chosen
