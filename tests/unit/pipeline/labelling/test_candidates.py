"""The pool of candidates."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.labelling.candidates import NEAR_DUPLICATE, Candidate, CandidatePool
from pipeline.labelling.uncertainty import Uncertainty


def candidate(path: str, score: float, *descriptor: float) -> Candidate:
    return Candidate(path, score, Uncertainty(score, score), None, np.array(descriptor, np.float32))


def paths(pool: CandidatePool) -> list[str]:
    return [one.path for one in pool.ordered()]


@settings(max_examples=50)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.integers(1, 8))
def test_it_holds_the_most_uncertain_in_any_order(scores: list[int], size: int) -> None:
    images = [candidate(f"{index:02d}", score, index) for index, score in enumerate(scores)]
    expected = sorted(images, key=lambda image: (-image.score, image.path))[:size]
    for order in (images, images[::-1]):
        pool = CandidatePool(size)
        for image in order:
            pool.add(image)
        assert pool.ordered() == expected
        assert (pool.seen, pool.duplicates) == (len(images), 0)


def test_of_near_duplicates_the_most_uncertain_stays() -> None:
    near = NEAR_DUPLICATE / 2
    images = [candidate("a", 0.5, 0), candidate("b", 0.7, near), candidate("c", 0.6, 1), candidate("d", 0.1, 1 + near)]
    for order in (images, images[::-1]):
        pool = CandidatePool(10)
        for image in order:
            pool.add(image)
        assert paths(pool) == ["b", "c"]
        assert pool.duplicates == 2


def test_copies_of_one_image_leave_room_for_others() -> None:
    pool = CandidatePool(2)
    for number in range(100):
        pool.add(candidate(f"frame {number:03d}", 0.9, 0))
    pool.add(candidate("another", 0.1, 1))
    assert paths(pool) == ["frame 000", "another"]
    assert pool.duplicates == 99
