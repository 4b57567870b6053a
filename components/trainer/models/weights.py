"""Pretrained weights of encoders: finds the file, checks that it fits, and loads it.

HDF5 holds arrays and names, nothing that is executed.  The file's headers are compared with the network before any
array is read, so that a broken or hostile file costs nothing.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from pathlib import Path

import h5py
import tf_keras as keras

from common.errors import UserError
from components.trainer.architectures import Encoder
from components.trainer.encoder_specs import PublishedFile

_KEY = "trainer.model.encoder.weights"


def find_weights(config: Encoder, height: int, width: int) -> str | None:
    """Returns the file that an encoder starts from, downloaded unless Keras has cached it; `None` for random weights.

    Raises:
        UserError: there is no such file, or it cannot be downloaded.
    """
    if config.weights == "none":
        return None
    if config.weights == "imagenet":
        return _downloaded(config.spec.published(config.alpha, height, width), config.name)
    if not Path(config.weights).is_file():
        raise UserError(f"there is no file {config.weights}, which {_KEY} names; give another, imagenet or none")
    return config.weights


def _downloaded(wanted: PublishedFile, name: str) -> str:
    try:
        return keras.utils.get_file(wanted.name, wanted.url, cache_subdir="models", file_hash=wanted.md5)
    except Exception as error:  # noqa: BLE001  # Keras raises nothing narrower where the network fails.
        raise UserError(
            f"the ImageNet weights of {name} could not be downloaded ({error}); bring {wanted.name} here by other "
            f"means and name it with --set {_KEY}=/path/{wanted.name}, or train from scratch with {_KEY}=none"
        ) from None


def weights_digest(config: Encoder | None) -> str:
    """A digest of the local file that an encoder starts from; empty where there is none."""
    if config is None or not Path(config.weights).is_file():
        return ""
    with Path(config.weights).open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()[:16]


def load_weights(network: keras.Model, path: str) -> None:
    """Gives `network` the weights in `path`, layer by layer in their order.

    Raises:
        UserError: the file is unreadable, or its layers are not those of the network.
    """
    expected = [(layer.name, layer.count_params()) for layer in network.layers if layer.weights]
    saved = _saved_layers(path)
    for (layer, size), (saved_layer, saved_size) in zip(expected, saved, strict=False):
        if size != saved_size:
            raise UserError(
                f"{path} has {saved_size} weights in its layer {saved_layer}, where {network.name} has {size} in "
                f"{layer}: it holds another network, or the same with another alpha"
            )
    if len(expected) != len(saved):
        raise UserError(
            f"{path} has {len(saved)} layers with weights, but {network.name} without its top has {len(expected)}: "
            "it holds another network, or the same with its top"
        )
    try:
        network.load_weights(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} does not fit {network.name}: {' '.join(str(error).split())}") from None


def _saved_layers(path: str) -> list[tuple[str, int]]:
    """Name and number of weights of each layer that has any, read from the file's headers."""
    try:
        with h5py.File(path, "r") as file:
            group = file.get("model_weights", file)
            sizes = [(layer, _size(group[layer])) for layer in _names(group, "layer_names")]
    except (AttributeError, KeyError, OSError, RuntimeError, TypeError, ValueError):
        raise UserError(
            f"{path} holds no weights as Keras 2 saves them (HDF5, by layer); an interrupted download must be deleted"
        ) from None
    return [(layer, size) for layer, size in sizes if size]


def _size(layer: h5py.Group) -> int:
    return sum(layer[name].size for name in _names(layer, "weight_names"))


def _names(group: h5py.Group, attribute: str) -> Iterator[str]:
    """A list of names, which Keras splits into numbered attributes where it is too long for one."""
    numbered = (f"{attribute}{index}" for index in itertools.count())
    keys = [attribute] if attribute in group.attrs else list(itertools.takewhile(group.attrs.__contains__, numbered))
    if not keys:
        raise KeyError(attribute)
    for key in keys:
        for name in group.attrs[key]:
            yield name.decode() if isinstance(name, bytes) else str(name)
