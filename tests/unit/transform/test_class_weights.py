"""Class weights against a plain reference."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from components.transform.class_weights import class_weights


def reference(pixels_C: np.ndarray, power: float) -> np.ndarray:
    occurs = pixels_C > 0
    raw = np.ones(len(pixels_C))
    raw[occurs] = (pixels_C[occurs] / pixels_C.sum()) ** -power
    raw[occurs] /= raw[occurs].mean() if occurs.any() else 1
    return raw


@given(st.lists(st.integers(0, 10**12), min_size=2, max_size=60), st.sampled_from(["inverse_root", "inverse"]))
@settings(max_examples=60, deadline=None)
def test_weights_are_powers_of_the_share_with_mean_one(pixels: list[int], scheme: str) -> None:
    weights = class_weights(tf.constant(pixels, tf.int64), scheme).numpy()
    expected = reference(np.asarray(pixels, float), 0.5 if scheme == "inverse_root" else 1)
    np.testing.assert_allclose(weights, expected, rtol=1e-5)


def test_a_class_that_never_occurs_weighs_one() -> None:
    assert class_weights(tf.constant([9, 0, 1], tf.int64), "inverse").numpy()[1] == 1


@pytest.mark.parametrize("scheme", ["none", "inverse_root", "inverse"])
def test_classes_of_equal_share_weigh_the_same(scheme: str) -> None:
    np.testing.assert_allclose(class_weights(tf.constant([5, 5, 5], tf.int64), scheme), 1)
