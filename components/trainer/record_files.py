"""The compact records that a training reads: those of a split, or of some folds of cross-validation."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from components.trainer.sharing import WHOLE, Share
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
    paths = _paths(files)
    records = _interleaved(paths, WHOLE) if interleaved else tf.data.TFRecordDataset(paths, features.COMPRESSION)
    return _of_folds(records, files)


def count_records(files: Files) -> int:
    """Counts the records in the files."""
    return int(read_records(files).reduce(np.int64(0), lambda n, _: n + 1).numpy())


def read_share(files: Files, share: Share) -> tf.data.Dataset:
    """Returns the records that a worker reads in an epoch, from several files at once.

    With enough files a worker reads other files each time, and none that another one reads then.  These files have more
    or fewer records than its share: the rest is left out, or the first ones come again.  With fewer files each
    worker reads all of them, and passes on its share of the records.
    """
    paths = _paths(files)
    if not share.has_files(len(paths)):
        return share.of(_of_folds(_interleaved(paths, WHOLE), files))
    return _of_folds(_interleaved(paths, share), files).repeat().take(share.size(count_records(files)))


def _paths(files: Files) -> list[str]:
    return sorted(files.files if isinstance(files, FoldFiles) else files)


def _of_folds(records: tf.data.Dataset, files: Files) -> tf.data.Dataset:
    return records.filter(files.holds) if isinstance(files, FoldFiles) else records


def _interleaved(paths: list[str], share: Share) -> tf.data.Dataset:
    shards = share.of(tf.data.Dataset.from_tensor_slices(paths).shuffle(len(paths), seed=0))
    return shards.interleave(
        lambda shard: tf.data.TFRecordDataset(shard, features.COMPRESSION), num_parallel_calls=tf.data.AUTOTUNE
    )
