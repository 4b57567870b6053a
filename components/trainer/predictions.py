"""Converts logits to probabilities and masks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from components.trainer.lazy_tensorflow import tf


def probabilities_BHWC(logits_BHWK: tf.Tensor) -> tf.Tensor:
    """Returns class probabilities, which add up to 1 in each pixel; K = 1 is the logit of class 1 of two."""
    if logits_BHWK.shape[-1] == 1:
        foreground = tf.sigmoid(logits_BHWK)
        return tf.concat([1.0 - foreground, foreground], axis=-1)
    return tf.nn.softmax(logits_BHWK)


def mean_probabilities_BHWC(networks: Sequence[Callable[..., tf.Tensor]], image_BHWC: tf.Tensor) -> tf.Tensor:
    """Returns the mean of the networks' class probabilities, as they are in inference."""
    each = [probabilities_BHWC(network(image_BHWC, training=False)) for network in networks]
    return each[0] if len(each) == 1 else tf.add_n(each) / len(each)


def predicted_mask_BHW(logits_BHWK: tf.Tensor) -> tf.Tensor:
    """Returns the argmax class of each pixel, int32."""
    if logits_BHWK.shape[-1] == 1:
        return tf.cast(logits_BHWK[..., 0] > 0, tf.int32)
    return tf.argmax(logits_BHWK, axis=-1, output_type=tf.int32)
