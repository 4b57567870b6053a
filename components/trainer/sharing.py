"""The part of an epoch that one of several workers reads."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

_FILES_A_WORKER = 8
"""With fewer files, the parts would be of too different sizes."""


class Share(NamedTuple):
    """Worker `worker` of `workers`; all of them read the same data in the same order."""

    workers: int = 1
    worker: int = 0

    def of(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """Returns each `workers`-th element.

        The parts of the workers' batches together are the batches of a single worker.
        """
        return dataset if self.workers == 1 else dataset.shard(self.workers, self.worker)

    def batches(self, dataset: tf.data.Dataset, size: int) -> tf.data.Dataset:
        """Returns batches in which the strategy finds their `size`, so that it fills all of a worker's steps.

        It looks for a single batching operation, and there are others beside; where it finds none it divides
        each batch by the number of workers, a small last one too (TensorFlow, compute_batch_size_op.cc).
        """
        return dataset if self.workers == 1 else dataset.unbatch().batch(size)

    def has_files(self, count: int) -> bool:
        """Whether each worker reads some of `count` files, instead of some records of all files."""
        return self.workers > 1 and count >= _FILES_A_WORKER * self.workers

    def size(self, count: int) -> int:
        """Number of elements of `of`, of `count`."""
        return (count - self.worker + self.workers - 1) // self.workers


WHOLE = Share()
