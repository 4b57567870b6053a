"""The moving average of the weights, against NumPy."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from components.trainer.averaging import AverageInUse, WeightAverage


def test_the_average_is_its_definition() -> None:
    weight = tf.Variable([1.0, 2.0])
    average = WeightAverage([weight], momentum=0.8)
    expected = weight.numpy()
    for step in range(1, 60):
        weight.assign_add([step, 1.0])
        average.update(tf.constant(step, tf.int64))
        momentum = min(0.8, (1 + step) / (10 + step))
        expected = momentum * expected + (1 - momentum) * weight.numpy()
    np.testing.assert_allclose(average.values[0], expected, rtol=1e-5)


def test_it_stands_in_from_the_evaluation_to_the_end_of_the_epoch() -> None:
    weight = tf.Variable(1.0)
    average = WeightAverage([weight], momentum=0.5)
    callback = AverageInUse(average)
    weight.assign(5.0)
    callback.on_test_begin()
    assert float(weight) == 1
    callback.on_epoch_end(0)
    assert float(weight) == 5
