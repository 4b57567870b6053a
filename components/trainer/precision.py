"""What a network computes in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import tensorflow as tf
import tf_keras as keras

from components.trainer.learning_config import Precision
from components.trainer.strategy import count_workers

_PROCESSOR = Path("/proc/cpuinfo")
_MATRIX_UNITS = "amx_bf16"
_AMPERE = (8, 0)


@contextmanager
def computing_in(precision: Precision) -> Iterator[None]:
    """Layers that are made in it compute in `precision`; their weights are float32 always."""
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy(precision)
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(before)


def precision_here(precision: Precision) -> Precision:
    """What `auto` is on this machine; never float16, as no other precision could go on from its optimiser's state."""
    if precision != "auto":
        return precision
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = (tf.config.experimental.get_device_details(gpu) for gpu in gpus)
        fast = all(detail.get("compute_capability", (0, 0)) >= _AMPERE for detail in details)
    else:
        # TensorFlow's processor kernels fail on a worker's empty share of the last batch in bfloat16.
        fast = count_workers() <= 1 and has_matrix_units()
    return "mixed_bfloat16" if fast else "float32"


def has_matrix_units(processor: Path = _PROCESSOR) -> bool:
    """Whether the processor multiplies matrices in bfloat16 (AMX); without it, bfloat16 is slower than float32."""
    try:
        flags = re.search(r"^flags\s*:(.*)$", processor.read_text(), re.MULTILINE)
    except OSError:
        return False
    return flags is not None and _MATRIX_UNITS in flags.group(1).split()
