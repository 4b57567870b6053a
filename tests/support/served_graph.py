"""What the served graph makes of an image file, before the network sees it."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from components.trainer.inference.header import fit_to_decode, look_at
from components.trainer.inference.orientation import orientation, upright
from components.transform.image_ops import decode_image

_LIMIT = 100_000_000
_ENCODED = tf.TensorSpec([], tf.string)


@tf.function(input_signature=[_ENCODED])
def _refusal(encoded: tf.Tensor) -> tf.Tensor:
    return look_at(encoded, _LIMIT).refusal


@tf.function(input_signature=[_ENCODED])
def _pixels(encoded: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    upright_file, size_2 = upright(fit_to_decode(encoded), look_at(encoded, _LIMIT).size_2)
    return decode_image(upright_file), size_2


_orientation = tf.function(orientation, input_signature=[_ENCODED])


def served_refusal(data: bytes) -> str:
    """Why the served graph refuses a file; empty if it does not."""
    return str(_refusal(tf.constant(data)).numpy().decode())


def served_pixels(data: bytes) -> np.ndarray:
    """The image as the served graph sees it, upright, [H, W, 3]; checks the size for which it answers."""
    pixels_HWC, size_2 = _pixels(tf.constant(data))
    assert tuple(size_2.numpy()) == tuple(pixels_HWC.shape[:2])
    return np.asarray(pixels_HWC)


def served_orientation(data: bytes) -> int:
    """How the served graph turns a file."""
    return int(_orientation(tf.constant(data)))
