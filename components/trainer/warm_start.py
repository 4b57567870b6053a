"""Warm start: initial weights from an exported model, or from a training that ended early."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf
import tf_keras as keras
from tensorflow.core.protobuf import trackable_object_graph_pb2

from common import progress
from common.errors import UserError
from common.plain_path import plain_uri
from components.trainer.class_list import check_class_list
from components.trainer.config import BLESSED, NONE
from components.trainer.ensemble_file import check_single_network

_WEIGHTS = "_weights"  # The attribute of the exported module that lists the network's weights.


class Stored(NamedTuple):
    """A stored weight of an exported model."""

    key: str
    name: str
    shape: tuple[int, ...]


def find_warm_start(warm_start: str, base_model: str | None, classes: Sequence[str]) -> str | None:
    """Returns the folder of the initial model; `None` to train from scratch.

    Args:
        warm_start: `trainer.warm_start` of the configuration.
        base_model: Folder of the served version, from the baseline step.
        classes: Names of the classes to train for.

    Raises:
        UserError: the configured folder does not hold an exported model, or the model has other classes.
    """
    if warm_start == NONE:
        return None
    if warm_start != BLESSED:
        check_exported(warm_start)
        check_class_list(warm_start, classes)
        return warm_start
    if base_model is None or not tf.io.gfile.exists(base_model):
        progress.report("warm start: nothing is served yet, so training begins from scratch")
        return None
    check_single_network(base_model)
    check_class_list(base_model, classes)
    return base_model


def check_exported(folder: str) -> None:
    """Checks that there is an exported model of one network, or the best weights of a training.

    Raises:
        UserError: there is none, or it is an ensemble.
    """
    if not tf.io.gfile.exists(f"{_variables(folder)}.index") and not best_weights(folder):
        raise UserError(f"trainer.warm_start: {folder} holds no exported model (variables/variables.index is missing)")
    check_single_network(folder)


def best_weights(folder: str) -> str | None:
    """Returns the checkpoint of the best epoch so far in a training's state folder."""
    if not tf.io.gfile.isdir(folder):
        return None
    names = [name for name in tf.io.gfile.listdir(folder) if name.startswith("best-") and name.endswith(".index")]
    return os.path.join(folder, max(names).removesuffix(".index")) if names else None


def exported_state(folder: str) -> str:
    """Fingerprint of an exported model: sizes and times of the files with its weights."""
    check_exported(folder)
    prefix = best_weights(folder) or _variables(folder)
    stats = [(path, tf.io.gfile.stat(path)) for path in sorted(tf.io.gfile.glob(f"{prefix}.*"))]
    return " ".join(f"{path}:{stat.length}:{stat.mtime_nsec}" for path, stat in stats)


def load_warm_start(network: keras.Model, folder: str) -> None:
    """Loads the weights of an exported model into `network`, from its checkpoint and without running any of its code.

    Raises:
        UserError: the model has a different architecture; the message names the first weight that differs.
    """
    if best := best_weights(folder):
        _load_best(network, best)
        return
    load_exported(network, folder)
    progress.report(f"warm start: {len(network.weights)} weights from {folder}")


def load_exported(network: keras.Model, folder: str) -> None:
    """Loads the weights of an exported model into `network`, without running any of its code.

    Raises:
        UserError: as `load_warm_start`.
    """
    reader = tf.train.load_checkpoint(_variables(folder))
    stored = _stored_weights(reader)
    _check_same(network.weights, stored, folder)
    for weight, source in zip(network.weights, stored, strict=True):
        weight.assign(reader.get_tensor(source.key))


def _load_best(network: keras.Model, best: str) -> None:
    try:
        network.load_weights(best).assert_existing_objects_matched()
    except (AssertionError, ValueError) as error:
        raise UserError(
            f"trainer.warm_start: the weights {best} have a different architecture from the network of this "
            f"configuration ({str(error).partition(chr(10))[0]}); set trainer.warm_start to none"
        ) from error
    progress.report(f"warm start: the weights {best}")


def _variables(folder: str) -> str:
    return f"{plain_uri(folder).rstrip('/')}/variables/variables"


def _stored_weights(reader: tf.train.CheckpointReader) -> list[Stored]:
    """Returns the entries of the list of weights, in order, with the variables' original names."""
    graph = trackable_object_graph_pb2.TrackableObjectGraph.FromString(
        reader.get_tensor("_CHECKPOINTABLE_OBJECT_GRAPH")
    )
    lists = [child.node_id for child in graph.nodes[0].children if child.local_name == _WEIGHTS]
    shapes = reader.get_variable_to_shape_map()
    entries = [(int(c.local_name), graph.nodes[c.node_id]) for index in lists for c in graph.nodes[index].children]
    attributes = [node.attributes[0] for _, node in sorted(entries, key=lambda entry: entry[0])]
    return [Stored(a.checkpoint_key, a.full_name, tuple(shapes[a.checkpoint_key])) for a in attributes]


def _check_same(weights: Sequence[tf.Variable], stored: Sequence[Stored], folder: str) -> None:
    here = [(_plain(weight.name), tuple(weight.shape)) for weight in weights]
    there = [(_plain(source.name), source.shape) for source in stored]
    if here == there:
        return
    if len(here) != len(there):
        difference = f"it has {len(there)} weights and the network of this configuration {len(here)}"
    else:
        ours, theirs = next(pair for pair in zip(here, there, strict=True) if pair[0] != pair[1])
        difference = f"it has {_told(*theirs)} where the network of this configuration has {_told(*ours)}"
    raise UserError(
        f"trainer.warm_start: the model in {folder} has a different architecture: {difference}; "
        "set trainer.warm_start to none for the first training of a new architecture"
    )


def _plain(name: str) -> str:
    """Removes the suffix that Keras adds to the names of layers created later in the same process."""
    return re.sub(r"_\d+(?=/|$)", "", name.partition(":")[0])


def _told(name: str, shape: Sequence[int]) -> str:
    return f"{name} [{'×'.join(map(str, shape))}]"
