"""Conversion of published weights: what an encoder starts from afterwards, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tf_keras as keras

from common.errors import UserError
from components.trainer.architectures import Encoder
from components.trainer.models.encoders import network_with_weights
from components.trainer.models.weights_conversion import assign_published, convert_weights
from components.trainer.safetensors_file import read_safetensors
from tests.support.safetensors import write_safetensors
from tests.unit.trainer.models.published_segformer import published_shapes, values

Arrays = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def network() -> keras.Model:
    return network_with_weights(Encoder(name="mit_b0", weights="none"), 32, 32)


@pytest.fixture(scope="module")
def arrays(network: keras.Model) -> Arrays:
    """A published file's arrays: those of the encoder, and a classifier."""
    encoder = {name: values(name, shape) for name, shape in published_shapes(network)}
    return encoder | {"classifier.weight": np.ones([1000, 256], np.float32)}


def test_an_encoder_starts_from_the_converted_file(network: keras.Model, arrays: Arrays, tmp_path: Path) -> None:
    source = write_safetensors(tmp_path / "model.safetensors", arrays)
    assert (
        convert_weights("mit_b0", read_safetensors(source), str(source), tmp_path / "mit_b0.h5")
        == network.count_params()
    )
    loaded = network_with_weights(Encoder(name="mit_b0", weights=str(tmp_path / "mit_b0.h5")), 32, 32)
    query = arrays["segformer.encoder.block.1.0.attention.self.query.weight"]
    np.testing.assert_array_equal(loaded.get_layer("block.1.0.attention.self.query").kernel, query.T)
    depthwise = arrays["segformer.encoder.block.0.1.mlp.dwconv.dwconv.weight"]
    kernel = loaded.get_layer("block.0.1.mlp.dwconv.dwconv").depthwise_kernel
    np.testing.assert_array_equal(kernel[0, 2, 5, 0], depthwise[5, 0, 0, 2])
    patch = arrays["segformer.encoder.patch_embeddings.0.proj.weight"]
    np.testing.assert_array_equal(loaded.get_layer("patch_embeddings.0.proj").kernel[1, 2, 0, 7], patch[7, 0, 1, 2])


def without(arrays: Arrays, ending: str) -> Arrays:
    return {name: array for name, array in arrays.items() if not name.endswith(ending)}


def with_other_shape(arrays: Arrays, name: str) -> Arrays:
    return arrays | {name: np.zeros([7, 7], np.float32)}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda arrays: {"a": np.zeros(3, np.float32)},
            r"has no patch_embeddings\.0\.proj\.weight: it does",
        ),
        (
            lambda arrays: without(arrays, "block.3.1.mlp.dense2.bias"),
            r"has no block\.3\.1\.mlp\.dense2\.bias, which mit_b0 has: it holds another network",
        ),
        (
            lambda arrays: with_other_shape(arrays, "segformer.encoder.block.0.0.mlp.dense1.weight"),
            r"has \[7, 7\] in block\.0\.0\.mlp\.dense1\.weight, where mit_b0 has \[32, 128\]",
        ),
        (
            lambda arrays: with_other_shape(arrays, "segformer.encoder.block.0.2.mlp.dense1.weight"),
            r"has block\.0\.2\.mlp\.dense1\.weight, which mit_b0 has not: it holds another network",
        ),
    ],
)
def test_another_network_is_refused(
    change: Callable[[Arrays], Arrays], sentence: str, arrays: Arrays, network: keras.Model
) -> None:
    with pytest.raises(UserError, match=f"^model.safetensors {sentence}"):
        assign_published(network, change(arrays), "mit_b0", "model.safetensors")
