"""The compact records that a training reads: those of a split, or of some folds of cross-validation."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import tensorflow as tf

from components.transform import features


@dataclasses.dataclass(frozen=True)
class FoldFiles:
    """The records of a fold, or of all other folds, in files that hold all of them."""

    files: tuple[str, ...]
    fold: int
    held_out: bool
    """Whether the records of the fold are read, instead of all others."""

    def holds(self, serialized: tf.Tensor) -> tf.Tensor:
        """Returns whether a record is one of these."""
        spec = {features.FOLD: tf.io.FixedLenFeature([], tf.int64)}
        fold = tf.io.parse_single_example(serialized, spec)[features.FOLD]
        return (fold == self.fold) if self.held_out else (fold != self.fold)


Files = Sequence[str] | FoldFiles
"""The files of a split, or the part of them that a fold's training reads."""


def read_records(files: Files, interleaved: bool = False) -> tf.data.Dataset:
    """Returns the serialised records in the order of the files' names, or from several files at once."""
    paths = sorted(files.files if isinstance(files, FoldFiles) else files)
    records = _interleaved(paths) if interleaved else tf.data.TFRecordDataset(paths, features.COMPRESSION)
    return records.filter(files.holds) if isinstance(files, FoldFiles) else records


def _interleaved(paths: list[str]) -> tf.data.Dataset:
    shards = tf.data.Dataset.from_tensor_slices(paths).shuffle(len(paths), seed=0)
    return shards.interleave(
        lambda shard: tf.data.TFRecordDataset(shard, features.COMPRESSION), num_parallel_calls=tf.data.AUTOTUNE
    )
