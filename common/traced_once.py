"""Functions in the graph that are traced once, and called by every graph that needs them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

BYTES = tf.TensorSpec([], tf.string)
"""The bytes of a file."""
FILES = tf.TensorSpec([None], tf.string)
"""The bytes of each file of a batch."""


def traced_once(*signature: tf.TensorSpec) -> Callable[[Callable[..., Any]], Any]:
    """Decorates a function of tensors: its ops are traced once a process, and each graph calls the same function.

    The ops that read a header are hundreds, those of a network thousands, and the signatures of an export need them a
    dozen times.  Copies of them would be most of the time of an export and of the size of the SavedModel.  TensorFlow
    inlines the calls.
    """
    return tf.function(input_signature=signature, autograph=False)
