"""On which devices a network is trained: one code for a CPU, a GPU, several of them, and several machines."""

from __future__ import annotations

import json
import os

import tensorflow as tf

from common.errors import UserError


def choose_strategy() -> tf.distribute.Strategy:
    """Several workers where `TF_CONFIG` names them, else all GPUs of this machine, else its one device.

    Must come before anything else that TensorFlow does in this process where there are several workers.

    Raises:
        UserError: `TF_CONFIG` is no JSON.
    """
    _grow_gpu_memory()
    if _workers() > 1:
        return tf.distribute.MultiWorkerMirroredStrategy()
    if len(tf.config.list_physical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def is_alone(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process trains without other workers."""
    resolver = strategy.cluster_resolver
    return resolver is None or not resolver.cluster_spec().jobs


def worker_count(strategy: tf.distribute.Strategy) -> int:
    """Workers that train together; 1 without others."""
    resolver = strategy.cluster_resolver
    if is_alone(strategy):
        return 1
    return sum(len(tasks) for job, tasks in resolver.cluster_spec().as_dict().items() if job in ("chief", "worker"))


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process is the one that writes: the chief of several workers, or the only one."""
    resolver = strategy.cluster_resolver
    if is_alone(strategy):
        return True
    first = "chief" if "chief" in resolver.cluster_spec().jobs else "worker"
    return bool(resolver.task_type == first and resolver.task_id == 0)


def agree(strategy: tf.distribute.Strategy, value: float) -> float:
    """The mean of the workers' values, the same on each: what they decide by it, they decide alike."""
    if strategy.cluster_resolver is None:
        return value
    values = strategy.run(lambda: tf.constant(value, tf.float64))
    return float(strategy.reduce(tf.distribute.ReduceOp.MEAN, values, axis=None))


def check_batch_size(batch_size: int, strategy: tf.distribute.Strategy) -> None:
    """Refuses a batch that leaves devices without a picture.

    Raises:
        UserError: there are more devices than pictures.
    """
    devices = strategy.num_replicas_in_sync
    if batch_size < devices:
        raise UserError(
            f"trainer.batch_size {batch_size} does not go round {devices} devices: give it {devices} at least"
        )


def shared_out(batches: tf.data.Dataset) -> tf.data.Dataset:
    """Each worker reads all batches and takes its part of each.

    TensorFlow would rather give each its own files, which may be fewer than workers, and of unequal sizes.
    """
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return batches.with_options(options)


def _workers() -> int:
    text = os.environ.get("TF_CONFIG", "{}")
    try:
        cluster = json.loads(text).get("cluster", {})
    except (ValueError, AttributeError):
        raise UserError(f"TF_CONFIG is no JSON object with a cluster: {text[:200]!r}") from None
    return sum(len(cluster.get(job, ())) for job in ("chief", "worker"))


def _grow_gpu_memory() -> None:
    """Takes memory as it is needed; TensorFlow would take all of each GPU at once."""
    for gpu in tf.config.list_physical_devices("GPU"):
        try:
            tf.config.experimental.set_memory_growth(gpu, True)
        except RuntimeError:
            return  # The GPUs are in use by this process already, as they were set up then.
