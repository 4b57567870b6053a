"""Numerical precision of a network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf
import tf_keras as keras

from components.trainer.learning_config import Precision

_AMPERE = (8, 0)


@contextmanager
def computing_in(precision: Precision) -> Iterator[None]:
    """Context in which new layers compute in `precision`; their weights are always float32."""
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy(precision)
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(before)


def precision_here(precision: Precision) -> Precision:
    """Returns the precision that `auto` means on this machine.

    Never float16, because no other precision could resume from its optimiser's state.  Float32 on a CPU: TensorFlow's
    kernels for bfloat16 are fast there with matrix units (AMX), but 2.16's have been seen to corrupt memory (FCN-8).
    """
    if precision != "auto":
        return precision
    gpus = tf.config.list_physical_devices("GPU")
    capabilities = [tf.config.experimental.get_device_details(gpu).get("compute_capability", (0, 0)) for gpu in gpus]
    return "mixed_bfloat16" if gpus and min(capabilities) >= _AMPERE else "float32"
