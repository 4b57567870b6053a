"""Outlines of the regions in a mask, along the borders of pixels.

A region is a set of pixels of one class that are joined by edges (4-connected).  Each of its pixels has a directed edge
along every side that it does not share with another of them, with the pixel to the right of the edge in the image; the
edges form rings.  Where two pixels of a region touch at a corner only, a ring turns from the one to the
other, so that no ring touches itself, and a hole may touch the outline in single points, as OGC Simple Features allow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

# Directions of an edge and so the sides of its pixel: right along the upper one, down the right one, left, up.
_STEP_X = np.array([1, 0, -1, 0])
_STEP_Y = np.array([0, 1, 0, -1])
# Where an edge begins, from the pixel's upper left corner.
_BEGIN_X = np.array([0, 1, 1, 0])
_BEGIN_Y = np.array([0, 0, 1, 1])


class Rings(NamedTuple):
    """The outline of a region and of its holes: lists of corners [x, y], each closed by its first corner."""

    region: int
    exterior: list[list[int]]
    holes: list[list[list[int]]]


def feature_collection(
    mask_HW: npt.NDArray[np.uint8], class_names: Sequence[str], classes: Sequence[int], min_pixels: int
) -> dict[str, Any]:
    """The GeoJSON document of the regions of `classes` that have `min_pixels` or more."""
    region_HW = regions(mask_HW)
    pixels = np.bincount(region_HW.ravel())
    class_index = np.zeros(len(pixels), np.uint8)
    class_index[region_HW] = mask_HW
    wanted = np.isin(class_index, classes) & (pixels >= min_pixels)
    features = []
    for rings in outlines(region_HW, wanted):
        index = int(class_index[rings.region])
        features.append(
            {
                "type": "Feature",
                "properties": {
                    "class": class_names[index],
                    "class_index": index,
                    "pixels": int(pixels[rings.region]),
                },
                "geometry": {"type": "Polygon", "coordinates": [rings.exterior, *rings.holes]},
            }
        )
    return {"type": "FeatureCollection", "features": features}


def regions(mask_HW: npt.NDArray[np.integer]) -> Ints:
    """The number [H, W] of the region that each pixel belongs to, from 0 in the order of their first pixels."""
    starts_HW = np.ones(mask_HW.shape, bool)
    starts_HW[:, 1:] = mask_HW[:, 1:] != mask_HW[:, :-1]
    run_HW = np.cumsum(starts_HW.ravel(), dtype=np.int64).reshape(mask_HW.shape) - 1
    joined_HW = mask_HW[1:] == mask_HW[:-1]
    pairs_N2 = np.stack([run_HW[:-1][joined_HW], run_HW[1:][joined_HW]], axis=1)
    if len(pairs_N2):
        repeated_N = np.append(False, (pairs_N2[1:] == pairs_N2[:-1]).all(axis=1))
        pairs_N2 = pairs_N2[~repeated_N]
    root_of_run = _roots(int(run_HW[-1, -1]) + 1, pairs_N2)
    _, number_of_run = np.unique(root_of_run, return_inverse=True)
    return number_of_run.reshape(-1)[run_HW]


def outlines(region_HW: Ints, wanted: npt.NDArray[np.bool_]) -> list[Rings]:
    """The rings of the regions that are `wanted`, in the order of their numbers.

    Exteriors run counter-clockwise by their figures and holes clockwise (RFC 7946, 3.1.6); as y points down, it looks
    the other way round.
    """
    y, x, direction = _edges(region_HW, wanted)
    following = _following(region_HW, y, x, direction)
    is_corner = np.zeros(len(direction), bool)
    is_corner[following] = direction[following] != direction
    corners = np.stack([x + _BEGIN_X[direction], y + _BEGIN_Y[direction]], axis=1).tolist()
    found: dict[int, Rings] = {}
    region = region_HW[y, x].tolist()
    for cycle in _cycles(following.tolist(), is_corner.tolist()):
        ring = [corners[edge] for edge in cycle]
        ring.append(ring[0])
        # Edges are in the order of their pixels: a region's first one is the upper side of its first pixel.
        rings = found.setdefault(region[cycle[0]], Rings(region[cycle[0]], ring, []))
        if rings.exterior is not ring:
            rings.holes.append(ring)
    return [found[number] for number in sorted(found)]


def _roots(count: int, pairs_N2: Ints) -> Ints:
    """The least run that each of `count` runs is joined with (union–find with path halving)."""
    parent = list(range(count))

    def find(run: int) -> int:
        while parent[run] != run:
            parent[run] = run = parent[parent[run]]
        return run

    for one, other in pairs_N2.tolist():
        first, second = sorted((find(one), find(other)))
        parent[second] = first
    for run in range(count):  # A parent is never after its child, so it is at its root already.
        parent[run] = parent[parent[run]]
    return np.array(parent)


def _edges(region_HW: Ints, wanted: npt.NDArray[np.bool_]) -> tuple[Ints, Ints, Ints]:
    """Pixel y, x and direction of all edges of wanted regions, in the order of pixels and directions."""
    padded_HW = np.pad(region_HW, 1, constant_values=-1)
    is_edge_HW4 = np.stack(
        [
            padded_HW[:-2, 1:-1] != region_HW,
            padded_HW[1:-1, 2:] != region_HW,
            padded_HW[2:, 1:-1] != region_HW,
            padded_HW[1:-1, :-2] != region_HW,
        ],
        axis=-1,
    )
    y, x, direction = np.nonzero(is_edge_HW4 & wanted[region_HW][..., np.newaxis])
    return y, x, direction


def _following(region_HW: Ints, y: Ints, x: Ints, direction: Ints) -> Ints:
    """The index of the edge that goes on where each edge ends."""
    padded_HW = np.pad(region_HW, 1, constant_values=-1)
    left = (direction - 1) % 4
    ahead_y, ahead_x = y + _STEP_Y[direction], x + _STEP_X[direction]
    diagonal_y, diagonal_x = ahead_y + _STEP_Y[left], ahead_x + _STEP_X[left]
    own = region_HW[y, x]
    turns_left = padded_HW[diagonal_y + 1, diagonal_x + 1] == own
    goes_on = padded_HW[ahead_y + 1, ahead_x + 1] == own
    next_y = np.where(turns_left, diagonal_y, np.where(goes_on, ahead_y, y))
    next_x = np.where(turns_left, diagonal_x, np.where(goes_on, ahead_x, x))
    next_direction = np.where(turns_left, left, np.where(goes_on, direction, (direction + 1) % 4))
    width = region_HW.shape[1]
    return np.searchsorted((y * width + x) * 4 + direction, (next_y * width + next_x) * 4 + next_direction)


def _cycles(following: list[int], is_corner: list[bool]) -> list[list[int]]:
    """The edges that begin at corners, ring by ring, each ring from its first edge's corner on."""
    seen = [False] * len(following)
    cycles = []
    for first in range(len(following)):
        if seen[first]:
            continue
        cycle, edge = [], first
        while not seen[edge]:
            seen[edge] = True
            if is_corner[edge]:
                cycle.append(edge)
            edge = following[edge]
        cycles.append(cycle)
    return cycles
