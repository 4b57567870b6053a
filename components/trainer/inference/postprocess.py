"""Postprocessing: from probabilities to the response at an image's own size, one class at a time.

Memory does not grow with the number of classes: 59 of them on an image of 25 megapixels would take 6 GB.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from components.transform.image_ops import Placement


class Argmax(NamedTuple):
    """The argmax class of each pixel, uint8, and its probability."""

    class_HW: tf.Tensor
    confidence_HW: tf.Tensor


class Answer(NamedTuple):
    """Response for an image: an index PNG, the share of each class, and the mean probability of the mask."""

    mask: tf.Tensor
    class_fractions_C: tf.Tensor
    mean_confidence: tf.Tensor


def argmax(plane: Callable[[tf.Tensor], tf.Tensor], num_classes: int) -> Argmax:
    """Computes the argmax, where `plane` returns a class's probabilities [H, W]; the first class on a tie."""

    def take_if_likelier(index: tf.Tensor, best_HW: tf.Tensor, class_HW: tf.Tensor) -> tuple[tf.Tensor, ...]:
        candidate_HW = plane(index)
        likelier_HW = candidate_HW > best_HW
        class_HW = tf.where(likelier_HW, tf.cast(index, tf.uint8), class_HW)
        return index + 1, tf.maximum(candidate_HW, best_HW), class_HW

    first_HW = plane(tf.constant(0))
    any_size = tf.TensorShape([None, None])
    _, best_HW, class_HW = tf.while_loop(
        lambda index, *_: index < num_classes,
        take_if_likelier,
        (tf.constant(1), first_HW, tf.zeros(tf.shape(first_HW), tf.uint8)),
        shape_invariants=(tf.TensorShape([]), any_size, any_size),
        parallel_iterations=1,
    )
    return Argmax(class_HW, best_HW)


def at_own_size(probabilities_hwC: tf.Tensor, place: Placement, size_2: tf.Tensor) -> Argmax:
    """Returns the argmax of an image at `place` in the model's input, resized bilinearly to `size_2`."""
    image_hwC = probabilities_hwC[place.top : place.top + place.height, place.left : place.left + place.width]
    return argmax(
        lambda index: tf.image.resize(image_hwC[..., index, tf.newaxis], size_2)[..., 0],
        probabilities_hwC.shape[-1],
    )


def make_answer(class_HW: tf.Tensor, mean_confidence: tf.Tensor, num_classes: int) -> Answer:
    """Builds the response from the classes of all pixels."""
    # Counted in integers: a float32 count would stop at 2²⁴ pixels.
    flat_N = tf.cast(tf.reshape(class_HW, [-1]), tf.int32)
    pixels_C = tf.cast(tf.math.bincount(flat_N, minlength=num_classes, maxlength=num_classes), tf.float32)
    return Answer(encode_mask(class_HW), pixels_C / tf.reduce_sum(pixels_C), mean_confidence)


def encode_mask(class_HW: tf.Tensor) -> tf.Tensor:
    """Returns the classes of all pixels as an index PNG."""
    return tf.io.encode_png(class_HW[..., tf.newaxis])


def answer_spec(num_classes: int) -> Answer:
    """Returns the types of a response, for `tf.map_fn`."""
    return Answer(tf.TensorSpec([], tf.string), tf.TensorSpec([num_classes], tf.float32), tf.TensorSpec([], tf.float32))
