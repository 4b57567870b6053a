"""Conversion of published weights of PyTorch into the .h5 files that encoders start from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tf_keras as keras

from common.errors import UserError
from components.trainer.encoder_specs import ENCODERS
from components.trainer.models.mix_transformer import mix_transformer

_FIRST = "patch_embeddings.0.proj.weight"
_SIDE = 64
"""Of the images of the network that is saved; its weights are those of every size."""
_AXES = {keras.layers.DepthwiseConv2D: (2, 3, 0, 1), keras.layers.Conv2D: (2, 3, 1, 0), keras.layers.Dense: (1, 0)}
"""Order of PyTorch's axes in Keras' kernels."""


def convert_weights(name: str, arrays: Mapping[str, np.ndarray], source: str, target: Path) -> int:
    """Writes the arrays of the Mix Transformer `name`, read from the file `source`, to `target`, an .h5 file.

    Arrays have the names of `transformers`; whatever is not the encoder's is ignored.

    Returns:
        The number of weights.

    Raises:
        UserError: the source holds another network.
    """
    network = mix_transformer(ENCODERS[name].application, (_SIDE, _SIDE, 3))
    assign_published(network, arrays, name, source)
    network.save_weights(target, save_format="h5")
    return int(network.count_params())


def assign_published(network: keras.Model, arrays: Mapping[str, np.ndarray], name: str, source: str) -> None:
    """Gives a Mix Transformer the encoder's arrays of a published file.

    Raises:
        UserError: an array is missing, has another shape, or belongs to a larger network.
    """
    encoder = _encoder_arrays(arrays, source)
    for layer in network.layers:
        if layer.weights:
            layer.set_weights([_taken(encoder, layer, index, name, source) for index in range(len(layer.weights))])
    if encoder:
        raise UserError(f"{source} has {next(iter(encoder))}, which {name} has not: it holds another network")


def _encoder_arrays(arrays: Mapping[str, np.ndarray], source: str) -> dict[str, np.ndarray]:
    """Returns the encoder's arrays by the names that its layers have."""
    first = next((name for name in arrays if name.endswith(_FIRST)), None)
    if first is None:
        raise UserError(f"{source} has no {_FIRST}: it does not hold a Mix Transformer as transformers saves it")
    prefix = first.removesuffix(_FIRST)
    parts = tuple(f"{prefix}{part}." for part in ("patch_embeddings", "block", "layer_norm"))
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(parts)}


def _taken(encoder: dict[str, np.ndarray], layer: keras.layers.Layer, index: int, name: str, source: str) -> np.ndarray:
    """Takes the array of a layer's kernel or scale (index 0), or of its bias or offset (1), in Keras' order."""
    key = f"{layer.name}.{('weight', 'bias')[index]}"
    array = encoder.pop(key, None)
    if array is None:
        raise UserError(f"{source} has no {key}, which {name} has: it holds another network")
    axes = next((axes for kind, axes in _AXES.items() if isinstance(layer, kind)), None)
    if index == 0 and axes and array.ndim == len(axes):
        array = array.transpose(axes)
    expected = tuple(layer.weights[index].shape)
    if array.shape != expected:
        raise UserError(
            f"{source} has {list(array.shape)} in {key}, where {name} has {list(expected)}: it holds another network"
        )
    return array
