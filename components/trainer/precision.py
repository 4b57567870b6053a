"""What a network computes in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import tf_keras as keras

from components.trainer.learning_config import Precision


@contextmanager
def computing_in(precision: Precision) -> Iterator[None]:
    """Layers that are made in it compute in `precision`; their weights are float32 always."""
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy(precision)
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(before)
