"""Error handling inside a TF graph, where a failing op aborts the whole call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def graph_try(function: Callable[[tf.Tensor], Any], argument: tf.Tensor, otherwise: Any) -> Any:
    """Returns `function(argument)`, or `otherwise` if one of its ops fails.

    Only a tf.data pipeline can ignore errors.
    """
    made = tf.data.Dataset.from_tensors(argument).map(function).ignore_errors()
    return made.concatenate(tf.data.Dataset.from_tensors(otherwise)).take(1).get_single_element()
