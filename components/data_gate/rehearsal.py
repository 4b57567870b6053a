"""What ingestion and StatisticsGen would make of the data, found without writing a record that holds an image."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import tensorflow as tf

from components import records
from components.data_gate.checks import Statistics
from components.example_gen.check import OnProgress, survey
from components.example_gen.config import DataConfig
from components.example_gen.ingestion import Used
from components.example_gen.quarantine import IngestionSummary, Quarantined
from components.statistics import statistics_by_split

_STAND_IN = b"-"
"""In place of an encoded image or mask, of which TFDV counts the number and lengths alone."""


class Rehearsal(NamedTuple):
    """Ingestion's account, the pairs that it would set aside, and each split's statistics."""

    summary: IngestionSummary
    quarantined: list[Quarantined]
    statistics: dict[str, Statistics]


def rehearse(
    config: DataConfig, seed: int, on_progress: OnProgress | None = None, on_measuring: Callable[[], None] | None = None
) -> Rehearsal:
    """Reads and decodes all pairs of `config`, and measures what their records would hold.

    The statistics are those that StatisticsGen has of the same data, but for the lengths of the encoded images and
    masks.

    Args:
        config: The data.
        seed: The run's, which the splits depend on.
        on_progress: Is told how many pairs are read, and of how many.
        on_measuring: Is called once all are read.

    Raises:
        UserError: the source is not usable.
    """
    with tempfile.TemporaryDirectory() as scratch:
        files = {split: str(Path(scratch, split)) for split in records.SPLITS}
        with contextlib.ExitStack() as stack:
            writers = {split: stack.enter_context(tf.io.TFRecordWriter(path)) for split, path in files.items()}
            summary, quarantined = survey(
                config, seed, on_progress, lambda used: writers[used.split].write(_without_images(used))
            )
        if on_measuring is not None:
            on_measuring()
        return Rehearsal(summary, quarantined, statistics_by_split(files, scratch))


def _without_images(used: Used) -> bytes:
    example = tf.train.Example.FromString(used.record)
    for name in (records.IMAGE_ENCODED, records.MASK_ENCODED):
        example.features.feature[name].bytes_list.value[:] = [_STAND_IN]
    return example.SerializeToString()
