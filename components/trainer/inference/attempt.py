"""What may fail, in a graph, which knows no exceptions: an op that fails ends all of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def attempt(function: Callable[[tf.Tensor], Any], argument: tf.Tensor, otherwise: Any) -> Any:
    """What `function` makes of `argument`, or `otherwise` where one of its ops fails.

    A tf.data pipeline can be told to pass over what fails, and nothing else can.
    """
    made = tf.data.Dataset.from_tensors(argument).map(function).ignore_errors()
    return made.concatenate(tf.data.Dataset.from_tensors(otherwise)).take(1).get_single_element()
