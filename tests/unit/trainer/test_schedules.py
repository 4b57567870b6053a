"""Step sizes over steps, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import tf_keras as keras
from hypothesis import given, settings
from hypothesis import strategies as st

from components.trainer.learning_config import Constant, Cosine, Plateau, Polynomial, Step
from components.trainer.schedules import LearningRate, LowerOnPlateau, plateau_share

EPOCHS, STEPS = 10, 5


def over_all_steps(rate: LearningRate, steps: int = EPOCHS * STEPS) -> np.ndarray:
    return np.array([float(rate(step)) for step in range(steps)])


def test_a_constant_stays() -> None:
    np.testing.assert_allclose(over_all_steps(LearningRate(0.3, Constant(), EPOCHS, STEPS)), 0.3, rtol=1e-6)


def test_a_cosine_is_that_of_keras() -> None:
    theirs = keras.optimizers.schedules.CosineDecay(0.3, EPOCHS * STEPS, alpha=0.2)
    expected = [float(theirs(step)) for step in range(EPOCHS * STEPS)]
    ours = over_all_steps(LearningRate(0.3, Cosine(end=0.2), EPOCHS, STEPS))
    np.testing.assert_allclose(ours, expected, rtol=1e-5)


def test_a_polynomial_is_that_of_keras() -> None:
    theirs = keras.optimizers.schedules.PolynomialDecay(0.3, EPOCHS * STEPS, end_learning_rate=0.03, power=0.9)
    expected = [float(theirs(step)) for step in range(EPOCHS * STEPS)]
    ours = over_all_steps(LearningRate(0.3, Polynomial(power=0.9, end=0.1), EPOCHS, STEPS))
    np.testing.assert_allclose(ours, expected, rtol=1e-5)


def test_steps_fall_between_epochs() -> None:
    ours = over_all_steps(LearningRate(1.0, Step(every=4, factor=0.5), EPOCHS, STEPS))
    np.testing.assert_allclose(ours, np.repeat([1, 0.5, 0.25], [4 * STEPS, 4 * STEPS, 2 * STEPS]))


@given(st.integers(1, 5), st.integers(1, 7), st.integers(1, 9), st.floats(1e-5, 1))
@settings(max_examples=20, deadline=None)
def test_a_warm_up_rises_in_a_line_and_then_the_schedule_begins(warm: int, steps: int, rest: int, base: float) -> None:
    warmed = over_all_steps(
        LearningRate(base, Cosine(), warm + rest, steps, warm_up_epochs=warm), (warm + rest) * steps
    )
    cold = over_all_steps(LearningRate(base, Cosine(), rest, steps), rest * steps)
    np.testing.assert_allclose(
        warmed[: warm * steps], base * np.arange(1, warm * steps + 1) / (warm * steps), rtol=1e-5
    )
    np.testing.assert_allclose(warmed[warm * steps :], cold, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("schedule", [Cosine(), Polynomial()])
def test_beyond_its_last_step_it_stays_at_the_end(schedule: Cosine | Polynomial) -> None:
    assert float(LearningRate(1.0, schedule, EPOCHS, STEPS)(EPOCHS * STEPS + 3)) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("reached", "falls"),
    [
        ([], 0),
        ([0.1, 0.2, 0.2], 0),
        ([0.1, 0.2, 0.2, 0.1], 1),
        ([0.3, 0.1, 0.1, 0.1, 0.1], 2),
        ([0.3, 0.1, 0.4, 0.1], 0),
    ],
)
def test_a_plateau_is_as_many_epochs_without_a_better_one(reached: list[float], falls: int) -> None:
    assert plateau_share(reached, Plateau(patience=2, factor=0.5)) == 0.5**falls


def test_the_share_of_a_plateau_comes_from_the_epochs_of_the_phase() -> None:
    plateau = Plateau(patience=1, factor=0.1)
    rate = LearningRate(1.0, plateau, EPOCHS, STEPS)
    reached = [0.9, 0.1, 0.5, 0.4]
    callback = LowerOnPlateau(rate, plateau, first_epoch=2, reached=lambda: reached)
    callback.on_epoch_begin(3)
    assert float(rate(0)) == 1
    callback.on_epoch_begin(4)
    assert float(rate(0)) == pytest.approx(0.1)
