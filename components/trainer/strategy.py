"""Distribution strategy: the same code for a CPU, one or several GPUs, and several machines."""

from __future__ import annotations

import json
import os

import tensorflow as tf

from common.errors import UserError
from components.trainer.sharing import WHOLE, Share, endless


def choose_strategy() -> tf.distribute.Strategy:
    """Returns the strategy: several workers if `TF_CONFIG` names them, else all GPUs of this machine, else one device.

    With several workers it must be called before any other use of TensorFlow in this process.

    Raises:
        UserError: `TF_CONFIG` is not valid JSON.
    """
    _grow_gpu_memory()
    if _workers() > 1:
        return tf.distribute.MultiWorkerMirroredStrategy()
    if len(tf.config.list_physical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def is_alone(strategy: tf.distribute.Strategy) -> bool:
    """Returns whether this process trains without other workers."""
    resolver = strategy.cluster_resolver
    return resolver is None or not resolver.cluster_spec().jobs


def worker_count(strategy: tf.distribute.Strategy) -> int:
    """Returns the number of workers; 1 without others."""
    resolver = strategy.cluster_resolver
    if is_alone(strategy):
        return 1
    return sum(len(tasks) for job, tasks in resolver.cluster_spec().as_dict().items() if job in ("chief", "worker"))


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Returns whether this process writes results: the chief of several workers, or the only one."""
    resolver = strategy.cluster_resolver
    if is_alone(strategy):
        return True
    first = "chief" if "chief" in resolver.cluster_spec().jobs else "worker"
    return bool(resolver.task_type == first and resolver.task_id == 0)


def share_of(strategy: tf.distribute.Strategy) -> Share:
    """Returns the part of an epoch that this process reads, in the order of TensorFlow's collectives: chief first."""
    resolver = strategy.cluster_resolver
    if is_alone(strategy):
        return WHOLE
    chiefs = len(resolver.cluster_spec().as_dict().get("chief", ()))
    return Share(worker_count(strategy), resolver.task_id + (chiefs if resolver.task_type == "worker" else 0))


def all_reduce(strategy: tf.distribute.Strategy, value: float) -> float:
    """Returns the mean of the workers' values (all-reduce), so that all of them make the same decisions."""
    if strategy.cluster_resolver is None:
        return value
    values = strategy.run(lambda: tf.constant(value, tf.float64))
    return float(strategy.reduce(tf.distribute.ReduceOp.MEAN, values, axis=None))


def check_batch_size(batch_size: int, strategy: tf.distribute.Strategy) -> None:
    """Rejects a batch that leaves devices without an image.

    Raises:
        UserError: there are more devices than images.
    """
    devices = strategy.num_replicas_in_sync
    if batch_size < devices:
        raise UserError(
            f"trainer.batch_size ({batch_size}) is smaller than the number of devices ({devices}): "
            f"set it to at least {devices}"
        )


def training_input(
    strategy: tf.distribute.Strategy, epoch: tf.data.Dataset, samples: int, batch_size: int
) -> tf.data.Dataset | tf.distribute.DistributedDataset:
    """Returns what `fit` trains on: the epoch, or, for several workers, one epoch after the other without an end.

    Before each step TensorFlow's workers tell each other by an all-reduce whether they have a batch, which may take
    longer than reading it; not if the data has no end (`_enable_get_next_as_optional` in its input_lib.py).  Then
    `fit` has to be given the number of steps, which is the same for each worker.

    Args:
        strategy: The strategy that trains.
        epoch: Batches of this worker's share of an epoch, reshuffled each time they are read.
        samples: Images or windows in an epoch of all workers.
        batch_size: Images or windows in a step of all workers.
    """
    epoch = shared_out(epoch, already=True)
    if worker_count(strategy) == 1:
        return epoch
    # Of data with an end `fit` makes an iterator that it never reads, and each one has the next order.  So the
    # epochs of several workers are those of one.
    iter(epoch)
    share = share_of(strategy)
    sizes = share.batch_sizes(samples, batch_size, strategy.num_replicas_in_sync // share.workers)
    batches = endless(epoch, sizes)
    # `experimental_distribute_dataset` would divide the batches again, across the ends of epochs.
    return strategy.distribute_datasets_from_function(lambda _: batches)


def shared_out(batches: tf.data.Dataset, already: bool = False) -> tf.data.Dataset:
    """Returns the batches as the strategy has to share them out: each worker reads all and uses its part of each.

    By default TensorFlow assigns files to workers, which may be fewer than workers, and of unequal sizes.  Batches that
    are this worker's `already` are only divided among its devices.

    Autotuning is off: `AUTOTUNE` then means one call a core, up to 16.  The thread that tunes sleeps for up to a minute
    at a time, and a cancelled one may miss the signal that wakes it (TensorFlow 2.16, `Model::OptimizeLoop`), so that
    the end of an epoch waits for it: 8 to 20 s an epoch were measured.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    policy = tf.data.experimental.AutoShardPolicy
    options.experimental_distribute.auto_shard_policy = policy.OFF if already else policy.DATA
    return batches.with_options(options)


def _workers() -> int:
    text = os.environ.get("TF_CONFIG", "{}")
    try:
        cluster = json.loads(text).get("cluster", {})
    except (ValueError, AttributeError):
        raise UserError(f"TF_CONFIG is not a JSON object with a cluster: {text[:200]!r}") from None
    return sum(len(cluster.get(job, ())) for job in ("chief", "worker"))


def _grow_gpu_memory() -> None:
    """Allocates GPU memory as needed; TensorFlow would allocate all of it at once."""
    for gpu in tf.config.list_physical_devices("GPU"):
        try:
            tf.config.experimental.set_memory_growth(gpu, True)
        except RuntimeError:
            return  # The GPUs are already in use by this process.
