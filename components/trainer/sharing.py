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

    def has_files(self, count: int) -> bool:
        """Whether each worker reads some of `count` files, instead of some records of all files."""
        return self.workers > 1 and count >= _FILES_A_WORKER * self.workers

    def size(self, count: int) -> int:
        """Number of elements of `of`, of `count`."""
        return (count - self.worker + self.workers - 1) // self.workers

    def batch_sizes(self, samples: int, batch: int, replicas: int = 1) -> list[int]:
        """Returns the number of samples of each of this worker's `replicas`, step by step, in an epoch of `samples`.

        A step is `batch` samples of all workers together, the last one what remains.  Each worker has as many steps;
        its last batches may be empty.
        """
        sizes = []
        for begin in range(0, samples, batch):
            of_step = self.size(min(begin + batch, samples)) - self.size(begin)
            sizes += [(of_step - replica + replicas - 1) // replicas for replica in range(replicas)]
        return sizes


WHOLE = Share()


def endless(epoch: tf.data.Dataset, sizes: list[int]) -> tf.data.Dataset:
    """Returns one epoch after the other without an end, each in batches of the `sizes`, which may be 0.

    Args:
        epoch: Batches of any size, of as many samples as the sum of `sizes`; reshuffled each time they are read.
        sizes: Number of samples of each batch of an epoch.
    """
    return epoch.rebatch(sizes).take(len(sizes)).repeat().prefetch(tf.data.AUTOTUNE)
