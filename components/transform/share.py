"""How much each worker of an engine writes: Beam's runner for Flink stops for ever above a size.

It passes a worker's share of a step as one bundle, and holds 100 messages of 10 MB of results before it has passed all
input (`BeamFnDataInboundObserver` of Beam 2.62.0).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import tensorflow as tf

from common.errors import UserError

SHARE_BYTES = 900_000_000
"""Most bytes of transformed records for a worker."""
_SAMPLE = 100
_FRAMING = 16
"""Bytes of a TFRecord beside its data."""


def check_share(patterns: Sequence[str], pair_bytes: int, workers: int) -> None:
    """Checks that no worker has too large a share of a split's transformed records.

    Args:
        patterns: A glob of record files for each split.
        pair_bytes: Bytes of a transformed image and its mask.
        workers: Workers of the engine, `beam.parallelism`.

    Raises:
        UserError: a worker has too much; says how many it takes.
    """
    largest = max(map(estimate_records, patterns), default=0) * pair_bytes
    if (needed := math.ceil(largest / SHARE_BYTES)) > workers:
        raise UserError(
            f"the transformed records of the largest split are about {largest / 1e9:.1f} GB, and Beam's runner for "
            f"Flink stops with more than {SHARE_BYTES / 1e9:g} GB a worker: set beam.parallelism to {needed} or more, "
            f"not {workers}."
        )


def estimate_records(pattern: str) -> int:
    """Returns about how many records some files hold, by the first ones of the largest file.

    Images are compressed already, so that a compressed file is hardly smaller.
    """
    sizes = {file: tf.io.gfile.stat(file).length for file in tf.io.gfile.glob(pattern)}
    if not any(sizes.values()):
        return 0
    largest = max(sizes, key=lambda file: sizes[file])
    first = tf.data.TFRecordDataset(largest, "GZIP" if largest.endswith(".gz") else "").take(_SAMPLE)
    lengths = [len(record) + _FRAMING for record in first.as_numpy_iterator()]
    return round(sum(sizes.values()) * len(lengths) / sum(lengths))
