"""Polygons: they hold exactly the pixels of the mask, and are what GeoJSON calls polygons."""

from __future__ import annotations

import itertools
import json
from collections import deque
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from segpipe_client.polygons import feature_collection

NAMES = ("ground", "roof", "tree")
masks = arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.integers(0, 2))


def features(mask_HW: np.ndarray, min_pixels: int = 1) -> list[dict[str, Any]]:
    collection = feature_collection(mask_HW, NAMES, range(len(NAMES)), min_pixels)
    assert collection["type"] == "FeatureCollection"
    return collection["features"]


def rings_of(feature: dict[str, Any]) -> list[list[list[int]]]:
    assert feature["geometry"]["type"] == "Polygon"
    return feature["geometry"]["coordinates"]


def inside_HW(ring: list[list[int]], shape: tuple[int, int]) -> np.ndarray:
    """The pixels inside a ring: those with an odd number of its vertical edges to their left."""
    crossings_HW = np.zeros((shape[0], shape[1] + 1), int)
    for (x, y), (next_x, next_y) in itertools.pairwise(ring):
        assert (x == next_x) != (y == next_y), "along the borders of pixels"
        crossings_HW[min(y, next_y) : max(y, next_y), x] += 1
    return np.cumsum(crossings_HW, axis=1)[:, :-1] % 2 == 1


def signed_area(ring: list[list[int]]) -> float:
    x, y = np.array(ring).T
    return float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]) / 2)


def connected(pixels_HW: np.ndarray) -> bool:
    left = {(int(y), int(x)) for y, x in np.argwhere(pixels_HW)}
    waiting = deque([left.pop()])
    while waiting:
        y, x = waiting.popleft()
        for near in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if near in left:
                left.remove(near)
                waiting.append(near)
    return not left


@settings(max_examples=400, deadline=None)
@given(masks)
def test_drawn_again_the_polygons_are_the_mask(mask_HW: np.ndarray) -> None:
    drawn_HW = np.full(mask_HW.shape, 99)
    for feature in features(mask_HW):
        exterior, *holes = rings_of(feature)
        pixels_HW = inside_HW(exterior, mask_HW.shape)
        for hole in holes:
            hole_HW = inside_HW(hole, mask_HW.shape)
            assert (pixels_HW | ~hole_HW).all(), "a hole lies in its polygon, and in no other hole"
            pixels_HW &= ~hole_HW
        assert (drawn_HW[pixels_HW] == 99).all(), "polygons do not overlap"
        drawn_HW[pixels_HW] = feature["properties"]["class_index"]
        assert feature["properties"]["pixels"] == pixels_HW.sum()
        assert connected(pixels_HW)
    np.testing.assert_array_equal(drawn_HW, mask_HW)


@settings(max_examples=400, deadline=None)
@given(masks)
def test_rings_are_closed_simple_and_turn_as_rfc_7946_says(mask_HW: np.ndarray) -> None:
    for feature in features(mask_HW):
        exterior, *holes = rings_of(feature)
        assert signed_area(exterior) > 0
        assert all(signed_area(hole) < 0 for hole in holes)
        for ring in (exterior, *holes):
            assert ring[0] == ring[-1]
            assert len(ring) >= 5
            corners = [tuple(corner) for corner in ring[:-1]]
            assert len(set(corners)) == len(corners), "a ring does not touch itself"
            steps = np.sign(np.diff(np.array([*ring, ring[1]]), axis=0))
            assert (steps[1:] != steps[:-1]).any(axis=1).all(), "there are corners only"


def test_a_region_with_a_hole_is_one_polygon_of_two_rings() -> None:
    mask_HW = np.zeros((5, 6), np.uint8)
    mask_HW[1:4, 1:5] = 1
    mask_HW[2, 2] = 2
    ground, roof, tree = features(mask_HW)
    assert roof["properties"] == {"class": "roof", "class_index": 1, "pixels": 11}
    assert rings_of(roof) == [
        [[1, 1], [5, 1], [5, 4], [1, 4], [1, 1]],
        [[3, 2], [2, 2], [2, 3], [3, 3], [3, 2]],
    ]
    assert rings_of(tree) == [[[2, 2], [3, 2], [3, 3], [2, 3], [2, 2]]]
    assert len(rings_of(ground)) == 2
    json.dumps(roof)


def test_pixels_that_touch_at_a_corner_are_two_regions() -> None:
    mask_HW = np.array([[1, 0], [0, 1]], np.uint8)
    assert [feature["properties"]["class"] for feature in features(mask_HW)] == ["roof", "ground", "ground", "roof"]


def test_a_region_around_a_bay_that_it_touches_at_a_corner_has_a_hole_there() -> None:
    mask_HW = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 0]], np.uint8)
    roof = next(feature for feature in features(mask_HW) if feature["properties"]["class"] == "roof")
    exterior, hole = rings_of(roof)
    assert [2, 2] in exterior
    assert [2, 2] in hole


@pytest.mark.parametrize(("least", "count"), [(1, 3), (2, 2), (8, 1), (13, 0)])
def test_small_regions_can_be_left_out(least: int, count: int) -> None:
    mask_HW = np.zeros((4, 5), np.uint8)
    mask_HW[0, 0] = 1
    mask_HW[3] = 2
    mask_HW[2, 4] = 2
    mask_HW[2, 3] = 2
    assert len(features(mask_HW, least)) == count


def test_only_the_classes_that_are_asked_for_are_traced() -> None:
    mask_HW = np.array([[0, 1, 2]], np.uint8)
    found = feature_collection(mask_HW, NAMES, [2], 1)["features"]
    assert [feature["properties"]["class"] for feature in found] == ["tree"]
