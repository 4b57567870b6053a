"""Counts of records by a loaded model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from common.signatures import CONFUSION, EVALUATE
from components.evaluator.counts import Counts


def count_batch(model: Any, records: Sequence[bytes], num_classes: int) -> list[Counts]:
    """Returns the counts [C, C] of each serialized record by the exported model's signature `evaluate`."""
    confusion = model.signatures[EVALUATE](examples=tf.constant(records))[CONFUSION].numpy()
    return list(np.rint(confusion).astype(np.int64).reshape(len(records), num_classes, num_classes))
