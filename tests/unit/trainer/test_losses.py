"""Losses against plain NumPy, void pixels and absent classes included."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from common.records import VOID
from components.trainer.losses.build_loss import build_loss
from components.trainer.losses.config import LossTerms
from tests.support import loss_references as reference

WEIGHT_C = np.array([0.5, 2.0, 1.0, 0.3, 1.7, 1.0])
CASES: dict[str, tuple[Any, Any]] = {
    "cross_entropy": ("cross_entropy", reference.cross_entropy),
    "smoothed cross_entropy": (
        {"type": "cross_entropy", "label_smoothing": 0.1},
        lambda mask, logits, weight_C: reference.cross_entropy(mask, logits, weight_C, 0.1),
    ),
    "focal": ("focal", lambda mask, logits, weight_C: reference.focal(mask, logits, weight_C, 2.0)),
    "gentle focal": (
        {"type": "focal", "gamma": 0.5},
        lambda mask, logits, weight_C: reference.focal(mask, logits, weight_C, 0.5),
    ),
    "dice": ("dice", lambda mask, logits, _: reference.dice(mask, logits)),
    "jaccard": ("jaccard", lambda mask, logits, _: reference.jaccard(mask, logits)),
    "tversky": ("tversky", lambda mask, logits, _: reference.tversky(mask, logits, 0.3, 0.7)),
    "lovasz": ("lovasz", lambda mask, logits, _: reference.lovasz(mask, logits)),
}
every_loss = pytest.mark.parametrize("case", CASES)
one_and_several_logits = pytest.mark.parametrize("channels", [1, 3])


def loss_of(terms: Any, mask_BHW: np.ndarray, logits_BHWK: Any, weight_C: np.ndarray | None = None) -> tf.Tensor:
    """The loss as a training step computes it: in a graph."""
    logits = tf.convert_to_tensor(logits_BHWK)
    weight_C = np.ones(max(2, logits.shape[-1])) if weight_C is None else weight_C
    return _graph_of(json.dumps(terms), tuple(weight_C))(tf.constant(mask_BHW), logits)


@functools.cache
def _graph_of(terms: str, weight_C: tuple[float, ...]) -> Callable[..., tf.Tensor]:
    """The loss as a graph, which is traced once for each shape."""
    return tf.function(build_loss(TypeAdapter(LossTerms).validate_json(terms), np.array(weight_C)))


def gradient_of(case: str, mask_BHW: np.ndarray, logits_BHWK: np.ndarray) -> np.ndarray:
    logits = tf.Variable(logits_BHWK)
    with tf.GradientTape() as tape:
        loss = loss_of(CASES[case][0], mask_BHW, logits)
    return tape.gradient(loss, logits).numpy()


def draw(channels: int, seed: int, absent: int = 0, scale: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    """Two pictures of 5×4, some of it void, without the last `absent` classes."""
    random = np.random.default_rng(seed)
    mask_BHW = random.integers(0, max(1, max(2, channels) - absent), [2, 5, 4]).astype(np.uint8)
    mask_BHW[random.random(mask_BHW.shape) < 0.3] = VOID
    return mask_BHW, random.normal(0, scale, [2, 5, 4, channels]).astype(np.float32)


def certain(mask_BHW: np.ndarray, channels: int, logit: float) -> np.ndarray:
    """Logits of that size that predict the mask, and class 0 where it is void."""
    truth = np.where(mask_BHW == VOID, 0, mask_BHW)
    if channels == 1:
        return np.where(truth == 1, logit, -logit)[..., None].astype(np.float32)
    return (logit * np.eye(channels)[truth]).astype(np.float32)


@every_loss
@given(channels=st.sampled_from([1, 2, 3, 6]), absent=st.integers(0, 5), seed=st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_a_loss_is_its_published_definition(case: str, channels: int, absent: int, seed: int) -> None:
    terms, expected = CASES[case]
    mask_BHW, logits_BHWK = draw(channels, seed, absent)
    weight_C = WEIGHT_C[: max(2, channels)]
    loss = float(loss_of(terms, mask_BHW, logits_BHWK, weight_C))
    assert loss == pytest.approx(expected(mask_BHW, logits_BHWK, weight_C), rel=1e-4, abs=1e-6)


@every_loss
@one_and_several_logits
@pytest.mark.parametrize("scale", [1.0, 50.0])
def test_gradients_are_finite_and_void_has_none(case: str, channels: int, scale: float) -> None:
    mask_BHW, logits_BHWK = draw(channels, 3)
    if scale == 50.0:
        logits_BHWK = np.sign(logits_BHWK) * 50
    gradient = gradient_of(case, mask_BHW, logits_BHWK)
    assert np.isfinite(gradient).all()
    assert not gradient[mask_BHW == VOID].any()
    if scale == 1.0:
        assert gradient[mask_BHW != VOID].any()


@every_loss
@one_and_several_logits
def test_a_batch_that_is_void_everywhere_has_neither_loss_nor_gradient(case: str, channels: int) -> None:
    _, logits_BHWK = draw(channels, 5)
    mask_BHW = np.full(logits_BHWK.shape[:3], VOID, np.uint8)
    assert float(loss_of(CASES[case][0], mask_BHW, logits_BHWK)) == 0
    assert not gradient_of(case, mask_BHW, logits_BHWK).any()


@every_loss
@one_and_several_logits
def test_a_device_without_a_share_of_the_batch_has_no_loss(case: str, channels: int) -> None:
    mask_BHW, logits_BHWK = np.zeros([0, 5, 4], np.uint8), np.zeros([0, 5, 4, channels], np.float32)
    assert float(loss_of(CASES[case][0], mask_BHW, logits_BHWK)) == 0
    assert gradient_of(case, mask_BHW, logits_BHWK).shape == logits_BHWK.shape


@pytest.mark.parametrize("case", sorted(set(CASES) - {"smoothed cross_entropy"}))
@one_and_several_logits
def test_a_perfect_prediction_has_hardly_any_loss(case: str, channels: int) -> None:
    mask_BHW, _ = draw(channels, 7)
    assert float(loss_of(CASES[case][0], mask_BHW, certain(mask_BHW, channels, 30.0))) < 1e-5


@every_loss
@one_and_several_logits
def test_a_wholly_wrong_prediction_is_worse_than_none(case: str, channels: int) -> None:
    mask_BHW, _ = draw(channels, 9)
    others = np.where(mask_BHW == VOID, VOID, (mask_BHW + 1) % max(2, channels)).astype(np.uint8)
    wrong = loss_of(CASES[case][0], mask_BHW, certain(others, channels, 10.0))
    assert float(wrong) > float(loss_of(CASES[case][0], mask_BHW, np.zeros([2, 5, 4, channels], np.float32)))


@pytest.mark.parametrize("case", sorted(set(CASES) - {"lovasz"}))
def test_one_logit_is_the_same_as_two_of_which_the_first_is_zero(case: str) -> None:
    mask_BHW, logits_BHW1 = draw(1, 11)
    logits_BHW2 = np.concatenate([np.zeros_like(logits_BHW1), logits_BHW1], axis=-1)
    weight_C = WEIGHT_C[:2]
    one, two = (float(loss_of(CASES[case][0], mask_BHW, logits, weight_C)) for logits in (logits_BHW1, logits_BHW2))
    assert one == pytest.approx(two, rel=1e-5)


def test_without_foreground_the_lovasz_hinge_is_about_the_falsest_pixel() -> None:
    logits_BHW1 = np.array([-3.0, 0.5, 2.0, 1.0], np.float32).reshape(1, 2, 2, 1)
    assert float(loss_of("lovasz", np.zeros([1, 2, 2], np.uint8), logits_BHW1)) == pytest.approx(3.0)


def test_lovasz_counts_a_million_pixels_as_exactly_as_a_hundred() -> None:
    truth = np.tile(np.array([0, 1], np.uint8), 500_000).reshape(1, 1000, 1000)
    logits = np.zeros([1, 1000, 1000, 2], np.float32)
    # All errors are ½, so that the extension is ½·Δ(everything) = ½ for each class.
    assert float(loss_of("lovasz", truth, logits)) == pytest.approx(0.5, rel=1e-3)


@pytest.mark.parametrize("term", ["cross_entropy", "focal"])
def test_a_weight_of_two_is_the_same_as_seeing_the_pixels_of_that_class_twice(term: str) -> None:
    mask_BHW, logits_BHWK = draw(3, 0)
    mask_BHW[mask_BHW == VOID] = 0
    twice = mask_BHW == 1
    pixels = np.concatenate([mask_BHW.ravel(), mask_BHW[twice]])[None, None]
    logits = np.concatenate([logits_BHWK.reshape(-1, 3), logits_BHWK[twice]])[None, None]
    weighted = loss_of(term, mask_BHW, logits_BHWK, np.array([1.0, 2.0, 1.0]))
    assert float(weighted) == pytest.approx(float(loss_of(term, pixels, logits)), rel=1e-5)


def test_a_class_that_weighs_nothing_is_as_good_as_void() -> None:
    mask_BHW, logits_BHWK = draw(3, 1)
    without = np.where(mask_BHW == 2, VOID, mask_BHW).astype(np.uint8)
    weighted = loss_of("cross_entropy", mask_BHW, logits_BHWK, np.array([1.0, 1.0, 0.0]))
    assert float(weighted) == pytest.approx(float(loss_of("cross_entropy", without, logits_BHWK)), rel=1e-6)


def test_focal_without_focus_is_cross_entropy() -> None:
    mask_BHW, logits_BHWK = draw(4, 2)
    plain, focal = (
        float(loss_of(term, mask_BHW, logits_BHWK, WEIGHT_C[:4]))
        for term in ("cross_entropy", {"type": "focal", "gamma": 0})
    )
    assert plain == pytest.approx(focal, rel=1e-6)


def test_terms_add_up_by_their_factors() -> None:
    mask_BHW, logits_BHWK = draw(3, 4)
    parts = {name: float(loss_of(name, mask_BHW, logits_BHWK)) for name in ("cross_entropy", "dice", "lovasz")}
    terms = ["cross_entropy", {"type": "dice", "factor": 2.0}, {"type": "lovasz", "factor": 0.5}]
    expected = parts["cross_entropy"] + 2 * parts["dice"] + 0.5 * parts["lovasz"]
    assert float(loss_of(terms, mask_BHW, logits_BHWK)) == pytest.approx(expected, rel=1e-6)


@every_loss
@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16])
def test_half_precision_logits_are_computed_in_full_precision(case: str, dtype: tf.DType) -> None:
    mask_BHW, logits_BHWK = draw(3, 6)
    halved = tf.cast(logits_BHWK, dtype)
    loss = loss_of(CASES[case][0], mask_BHW, halved)
    assert loss.dtype == tf.float32
    assert float(loss) == float(loss_of(CASES[case][0], mask_BHW, tf.cast(halved, tf.float32)))


@pytest.mark.slow
@every_loss
@one_and_several_logits
def test_xla_computes_the_same(case: str, channels: int) -> None:
    mask_BHW, logits_BHWK = draw(channels, 8)
    loss = build_loss(TypeAdapter(LossTerms).validate_python(CASES[case][0]), np.ones(max(2, channels)))

    def gradient(logits: tf.Tensor) -> tf.Tensor:
        return tf.gradients(loss(tf.constant(mask_BHW), logits), logits)[0]

    plain, compiled = (tf.function(gradient, jit_compile=xla)(tf.constant(logits_BHWK)) for xla in (False, True))
    np.testing.assert_allclose(plain, compiled, atol=1e-6)


TWO_DEVICES = """
import numpy as np, tensorflow as tf, tf_keras as keras
from pydantic import TypeAdapter
from components.trainer.losses.config import LossTerms
from components.trainer.losses.build_loss import build_loss
cpu, = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
terms = TypeAdapter(LossTerms).validate_python(["cross_entropy", "focal", "dice", "jaccard", "tversky", "lovasz"])
keras.mixed_precision.set_global_policy("mixed_bfloat16")
with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
    model = keras.Sequential([keras.layers.Dense(3, input_shape=[8, 8, 3])])
    loss = build_loss(terms, np.ones(3))
    model.compile(keras.optimizers.SGD(0.0), loss)
random = np.random.default_rng(0)
image, mask = random.random([5, 8, 8, 3], np.float32), random.integers(0, 3, [5, 8, 8]).astype(np.uint8)
def fit(pictures):
    dataset = tf.data.Dataset.from_tensor_slices((image[:pictures], mask[:pictures])).batch(4)
    return model.fit(dataset, verbose=0).history["loss"][0]
halves = [float(loss(mask[part], model(image[part]))) for part in (slice(0, 2), slice(2, 4))]
np.testing.assert_allclose(fit(4), np.mean(halves), rtol=1e-3)
assert np.isfinite(fit(5))  # Of the last batch one device gets nothing.
"""


@pytest.mark.slow
def test_two_devices_in_mixed_precision_average_their_losses() -> None:
    done = subprocess.run([sys.executable, "-c", TWO_DEVICES], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
