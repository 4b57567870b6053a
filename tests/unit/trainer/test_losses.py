"""Losses against plain NumPy, void pixels included."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from components.records import VOID
from components.trainer.losses import WeightedCrossEntropy


def reference(mask_BHW: np.ndarray, logits_BHWK: np.ndarray, weight_C: np.ndarray) -> float:
    """−Σ w·log p / Σ w over the pixels that are not void, pixel by pixel in float64."""
    logits = logits_BHWK.astype(np.float64)
    if logits.shape[-1] == 1:
        logits = np.concatenate([np.zeros_like(logits), logits], axis=-1)
    log_p = logits - np.log(np.exp(logits - logits.max(-1, keepdims=True)).sum(-1, keepdims=True))
    log_p -= logits.max(-1, keepdims=True)
    total = weights = 0.0
    for index in np.ndindex(mask_BHW.shape):
        truth = mask_BHW[index]
        if truth != VOID:
            total -= weight_C[truth] * log_p[index][truth]
            weights += weight_C[truth]
    return total / weights if weights else 0.0


def example(num_classes: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    mask_BHW = random.integers(0, num_classes, [2, 5, 4]).astype(np.uint8)
    mask_BHW[random.random(mask_BHW.shape) < 0.3] = VOID
    channels = 1 if num_classes == 2 else num_classes
    return mask_BHW, random.normal(0, 3, [2, 5, 4, channels]).astype(np.float32), random.uniform(0.2, 3, num_classes)


@given(st.integers(2, 6), st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_weighted_cross_entropy_is_its_definition(num_classes: int, seed: int) -> None:
    mask_BHW, logits_BHWK, weight_C = example(num_classes, seed)
    loss = WeightedCrossEntropy(weight_C)(tf.constant(mask_BHW), tf.constant(logits_BHWK))
    assert float(loss) == pytest.approx(reference(mask_BHW, logits_BHWK, weight_C), rel=1e-4)


def test_a_weight_of_two_is_the_same_as_seeing_the_pixels_of_that_class_twice() -> None:
    mask_BHW, logits_BHWK, _ = example(3, 0)
    mask_BHW[mask_BHW == VOID] = 0
    twice = mask_BHW == 1
    pixels = np.concatenate([mask_BHW.ravel(), mask_BHW[twice]])[None, None]
    logits = np.concatenate([logits_BHWK.reshape(-1, 3), logits_BHWK[twice]])[None, None]
    weighted = WeightedCrossEntropy(np.array([1.0, 2.0, 1.0]))(mask_BHW, tf.constant(logits_BHWK))
    repeated = WeightedCrossEntropy(np.ones(3))(pixels, tf.constant(logits))
    assert float(weighted) == pytest.approx(float(repeated), rel=1e-5)


@pytest.mark.parametrize("channels", [1, 3])
def test_void_pixels_have_no_loss_and_no_gradient(channels: int) -> None:
    mask_BHW = np.full([1, 2, 2], VOID, np.uint8)
    mask_BHW[0, 0, 0] = 1
    logits = tf.Variable(tf.random.stateless_normal([1, 2, 2, channels], [1, 2]))
    with tf.GradientTape() as tape:
        loss = WeightedCrossEntropy(np.ones(max(2, channels)))(mask_BHW, logits)
    gradient = tape.gradient(loss, logits).numpy()
    assert np.abs(gradient[0, 0, 0]).sum() > 0
    assert np.abs(gradient[mask_BHW == VOID]).sum() == 0


def test_a_batch_that_is_void_everywhere_has_no_loss() -> None:
    logits = tf.ones([1, 2, 2, 3])
    assert float(WeightedCrossEntropy(np.ones(3))(np.full([1, 2, 2], VOID, np.uint8), logits)) == 0
