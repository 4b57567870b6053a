"""Pretrained weights of encoders: where they lie, and whether they fit.

HDF5 holds arrays and names, nothing that is executed.  What a file says of itself is compared with the network before
any array is read, so that a broken or hostile file costs nothing.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import h5py
import tf_keras as keras

from common.errors import UserError
from components.trainer.architectures import Encoder

_PUBLISHED_AT = "https://storage.googleapis.com/tensorflow/keras-applications"
_KEY = "trainer.model.encoder.weights"
_SIDES = {"mobilenet": (128, 160, 192, 224), "mobilenet_v2": (96, 128, 160, 192, 224)}
_USUAL_SIDE = 224
_MOBILENET_ALPHAS = {0.25: "2_5", 0.5: "5_0", 0.75: "7_5", 1.0: "1_0"}


class Published(NamedTuple):
    """A file with the weights of a network less its classifier, trained on ImageNet, as Keras publishes it."""

    folder: str
    file: str
    md5: str | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"{_PUBLISHED_AT}/{self.folder}/{self.file}"


_PUBLISHED = {
    "densenet121": Published(
        "densenet", "densenet121_weights_tf_dim_ordering_tf_kernels_notop.h5", "30ee3e1110167f948a6b9946edeeb738"
    ),
    "vgg16": Published(
        "vgg16", "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5", "6d6bbae143d832006294945121d1f1fc"
    ),
    "efficientnet_v2_b0": Published(
        "efficientnet_v2", "efficientnetv2-b0_notop.h5", "893217f2bb855e2983157299931e43ff"
    ),
    "resnet50": Published(
        "resnet", "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5", "4d473c1dd8becc155b73f8504c6f6626"
    ),
}


def published(config: Encoder, height: int, width: int) -> Published:
    """The file for an encoder; that of the MobileNets is for the pictures' size if there is one, else for 224²."""
    if config.name not in _SIDES:
        return _PUBLISHED[config.name]
    side = height if height == width and height in _SIDES[config.name] else _USUAL_SIDE
    if config.name == "mobilenet":
        return Published("mobilenet", f"mobilenet_{_MOBILENET_ALPHAS[config.alpha]}_{side}_tf_no_top.h5")
    return Published("mobilenet_v2", f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{config.alpha}_{side}_no_top.h5")


def find_weights(config: Encoder, height: int, width: int) -> str | None:
    """The file that an encoder starts from, after a download if Keras has not kept it yet; `None` for random weights.

    Raises:
        UserError: there is no such file, or it cannot be downloaded.
    """
    if config.weights == "none":
        return None
    if config.weights == "imagenet":
        return _downloaded(published(config, height, width), config.name)
    if not Path(config.weights).is_file():
        raise UserError(f"there is no file {config.weights}, which {_KEY} names; give another, imagenet or none")
    return config.weights


def _downloaded(wanted: Published, name: str) -> str:
    try:
        return keras.utils.get_file(wanted.file, wanted.url, cache_subdir="models", file_hash=wanted.md5)
    except Exception as error:  # noqa: BLE001  # Keras raises nothing narrower where the network fails.
        raise UserError(
            f"the ImageNet weights of {name} could not be downloaded ({error}); bring {wanted.file} here by other "
            f"means and name it with --set {_KEY}=/path/{wanted.file}, or train from scratch with {_KEY}=none"
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
