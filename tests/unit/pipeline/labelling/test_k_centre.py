"""The greedy k-centre choice against a plain loop, and against the best choice there is."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.labelling.choice import choose
from pipeline.labelling.k_centre import k_centre
from tests.unit.pipeline.labelling.test_candidates import candidate

points = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=9)


def as_array(places: list[tuple[int, int]]) -> np.ndarray:
    return np.array(places, np.float32)


def radius(points_N2: np.ndarray, chosen: list[int]) -> float:
    """The largest distance of a point to the nearest chosen one."""
    return float(np.linalg.norm(points_N2[:, None] - points_N2[chosen], axis=-1).min(axis=1).max())


@settings(max_examples=100)
@given(points, st.integers(1, 5))
def test_each_next_one_is_farthest_from_those_before(places: list[tuple[int, int]], number: int) -> None:
    points_N2 = as_array(places)
    centres = k_centre(points_N2, number)
    indices = [centre.place for centre in centres]
    assert indices[0] == 0 and len(set(indices)) == len(indices) == min(number, len(places))
    for place, centre in enumerate(centres[1:], 1):
        left = [index for index in range(len(places)) if index not in indices[:place]]
        to_nearest = [min(np.linalg.norm(points_N2[i] - points_N2[j]) for j in indices[:place]) for i in left]
        assert centre.distance == np.float32(max(to_nearest))
        assert centre.place == left[int(np.argmax(to_nearest))]


@settings(max_examples=30)
@given(points, st.integers(1, 4))
def test_it_is_at_most_twice_as_far_as_the_best_choice(places: list[tuple[int, int]], number: int) -> None:
    points_N2 = as_array(places)
    number = min(number, len(places))
    best = min(radius(points_N2, list(chosen)) for chosen in itertools.combinations(range(len(places)), number))
    assert radius(points_N2, [centre.place for centre in k_centre(points_N2, number)]) <= 2 * best + 1e-5


def test_of_none_nothing_is_chosen() -> None:
    assert k_centre(np.zeros([0, 2], np.float32), 3) == []
    assert choose([], 3, 0) == []


def test_a_choice_says_why() -> None:
    first, second = choose([candidate("b", 0.75, 0), candidate("a", 0.5, 1), candidate("c", 0.25, 0.5)], 2, 40)
    assert (first.rank, first.path, first.distance) == (1, "b", None)
    assert first.reason == "number 1 of 40 by uncertainty 0.75 (entropy 0.75, margin 0.75)"
    assert (second.rank, second.path, second.distance) == (2, "a", 1)
    assert second.reason.endswith("; distance 1.00 to the nearest image before it")
