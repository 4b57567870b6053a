import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from common.confusion import confusion_counts_BCC
from common.records import VOID
from components.evaluator.counts import confusion_counts


@settings(max_examples=50, deadline=None)
@given(
    st.integers(0, 3), st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 2, 3, 59, 255]), st.integers(0, 2**32)
)
def test_the_graph_counts_what_numpy_counts(batch: int, height: int, width: int, classes: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    truth = random.integers(0, classes, (batch, height, width)).astype(np.uint8)
    truth[random.random(truth.shape) < 0.2] = VOID
    prediction = random.integers(0, classes, truth.shape).astype(np.int64)
    counted = confusion_counts_BCC(tf.constant(truth), tf.constant(prediction), classes).numpy()
    expected = [confusion_counts(t, p, classes) for t, p in zip(truth, prediction, strict=True)]
    np.testing.assert_array_equal(counted, np.reshape(expected, (batch, classes, classes)))


def test_it_works_in_a_graph_of_unknown_batch_and_tells_the_classes() -> None:
    @tf.function(input_signature=[tf.TensorSpec([None, None, None], tf.uint8)] * 2)
    def count(truth: tf.Tensor, prediction: tf.Tensor) -> tf.Tensor:
        return confusion_counts_BCC(truth, prediction, 4)

    assert count.get_concrete_function().structured_outputs.shape.as_list() == [None, 4, 4]
    assert count(np.full((2, 3, 3), 1, np.uint8), np.full((2, 3, 3), 2, np.uint8)).numpy()[:, 1, 2].tolist() == [9, 9]


@pytest.mark.parametrize(("truth", "prediction"), [(4, 0), (254, 0), (0, 4), (0, VOID), (0, -1)])
def test_an_index_beyond_the_classes_is_an_error_and_not_another_classs_pixel(truth: int, prediction: int) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"beyond the classes|non-negative"):
        confusion_counts_BCC(tf.constant([[[truth]]], tf.uint8), tf.constant([[[prediction]]]), 4)
