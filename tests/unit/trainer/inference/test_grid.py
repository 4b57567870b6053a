"""Where tiles lie along a side, and what they weigh."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from components.trainer.inference.grid import importance, lay_tiles, mirrored, tile_starts

sides = st.tuples(st.integers(1, 700), st.integers(16, 96), st.floats(0, 0.75))


def starts(padded: int, tile: int, overlap: float) -> np.ndarray:
    return tile_starts(tf.constant(padded), tile, overlap).numpy()


@given(sides)
@settings(max_examples=100, deadline=None)
def test_tiles_go_from_end_to_end_and_overlap_enough(side: tuple[int, int, float]) -> None:
    length, tile, overlap = side
    padded = max(length, tile)
    first = starts(padded, tile, overlap)
    assert first[0] == 0
    assert first[-1] + tile == padded
    assert (np.diff(first) <= max(1, round(tile * (1 - overlap)))).all()
    assert (np.diff(first) > 0).all()


@given(sides)
@settings(max_examples=100, deadline=None)
def test_no_tile_is_more_than_is_needed(side: tuple[int, int, float]) -> None:
    length, tile, overlap = side
    padded = max(length, tile)
    stride = max(1, round(tile * (1 - overlap)))
    assert len(starts(padded, tile, overlap)) == int(np.ceil((padded - tile) / stride)) + 1


def test_the_steps_of_a_very_long_side_do_not_overflow() -> None:
    first = starts(2_000_003, 16, 0.75)
    assert first[-1] == 2_000_003 - 16
    assert (np.diff(first) > 0).all()


@given(sides)
@settings(max_examples=60, deadline=None)
def test_weights_add_up_to_one_in_each_position(side: tuple[int, int, float]) -> None:
    length, tile, overlap = side
    laid = lay_tiles(tf.constant(length), tile, overlap)
    total = np.zeros(int(laid.padded))
    np.add.at(total, laid.position_NT.numpy(), laid.weight_NT.numpy())
    np.testing.assert_allclose(total, 1, rtol=1e-5)


def test_the_middle_of_a_tile_weighs_most_by_a_gaussian_of_an_eighth() -> None:
    weights = importance(64).numpy()
    np.testing.assert_allclose(weights, weights[::-1])
    # Two standard deviations, 16 pixels, from the middle.
    between = np.interp(31.5 + 16, np.arange(64), np.log(weights))
    np.testing.assert_allclose(between, -2, atol=0.01)


@given(st.integers(1, 30), st.integers(0, 90), st.integers(0, 90))
@settings(max_examples=60, deadline=None)
def test_beyond_its_ends_a_picture_is_mirrored(length: int, before: int, after: int) -> None:
    seen = mirrored(tf.range(-before, length + after), tf.constant(length)).numpy()
    there_and_back = [*range(length), *reversed(range(length))]
    np.testing.assert_array_equal(seen, np.take(there_and_back, np.arange(-before, length + after), mode="wrap"))
