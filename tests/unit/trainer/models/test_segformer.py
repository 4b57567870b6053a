"""SegFormer: sizes and logits of the published implementation, conversion of its weights, and images of any size."""

from __future__ import annotations

import functools
import inspect
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from components.trainer.architectures import Encoder, SegFormer
from components.trainer.models import build_model, encoder_of
from components.trainer.models.encoders import network_with_weights
from components.trainer.models.weights_conversion import assign_published
from components.trainer.precision import computing_in
from components.transform.config import TransformConfig
from tests.unit.trainer.models import published_segformer
from tests.unit.trainer.models.published_segformer import image, published_shapes, values

DECODER_WIDTHS = {"mit_b0": 256, "mit_b1": 256, "mit_b2": 768}
TRAINED_WEIGHTS = {"mit_b0": 3_752_694, "mit_b1": 13_715_798, "mit_b2": 27_461_974}
"""Parameters of `SegformerForSemanticSegmentation` of transformers 4.46.3 with 150 classes."""
LOGITS = {
    "mit_b0": [
        [[0.1357, -0.37339, -1.52463], [0.18698, -0.02677, -0.80913], [-0.06393, -0.36118, -0.99744]],
        [[-0.00958, 0.57766, -0.4823], [0.10741, 0.41837, -0.58176], [0.03245, -0.18054, -0.57751]],
    ],
    "mit_b1": [
        [[1.58596, 0.15263, 0.03145], [1.38235, 0.17923, -0.73338], [1.36167, 0.46561, -0.67537]],
        [[0.42771, 0.92781, -0.70602], [1.42009, 0.72418, -0.31912], [1.34938, 0.66788, -0.38839]],
    ],
    "mit_b2": [
        [[2.26041, -0.76489, -0.33391], [1.52075, -0.18305, -0.11245], [0.79034, 0.64781, -0.16666]],
        [[1.43525, 0.31265, -1.32526], [0.12892, -1.12173, 0.32465], [0.90287, -0.38186, 1.12067]],
    ],
}
"""Those of transformers 4.46.3 with torch 2.5.1 at every 32nd pixel, with the values of `published_segformer`."""
SIZES = ["mit_b0", *(pytest.param(f"mit_b{i}", marks=pytest.mark.slow) for i in (1, 2))]
PYTHON = os.environ.get("SEGPIPE_TEST_TRANSFORMERS", "")
needs_transformers = pytest.mark.skipif(
    not PYTHON, reason="SEGPIPE_TEST_TRANSFORMERS does not name a Python that has torch and transformers 4.46"
)

BY_TRANSFORMERS = """
import sys
import torch
from transformers import SegformerConfig, SegformerForSemanticSegmentation

blocks = {"mit_b0": [2, 2, 2, 2], "mit_b1": [2, 2, 2, 2], "mit_b2": [3, 4, 6, 3]}
channels = [32, 64, 160, 256] if sys.argv[1] == "mit_b0" else [64, 128, 320, 512]
config = SegformerConfig(
    num_labels=3, depths=blocks[sys.argv[1]], hidden_sizes=channels, decoder_hidden_size=int(sys.argv[2])
)
model = SegformerForSemanticSegmentation(config).eval()
height, width = int(sys.argv[3]), int(sys.argv[4])
scaled = (image(height, width) / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
with torch.no_grad():
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if tensor.is_floating_point():
            tensor.copy_(torch.from_numpy(values(name, tuple(tensor.shape))))
    logits = model(torch.from_numpy(scaled.transpose(0, 3, 1, 2).astype("f4"))).logits
    logits = torch.nn.functional.interpolate(logits, size=(height, width), mode="bilinear", align_corners=False)
np.save(sys.argv[5], logits.numpy().transpose(0, 2, 3, 1))
"""


def config(name: str = "mit_b0", weights: str = "none") -> SegFormer:
    return SegFormer(encoder=Encoder(name=name, weights=weights), decoder_width=DECODER_WIDTHS[name])


def model_of(model: SegFormer, num_classes: int = 3, height: int = 64, width: int = 96, bands: int = 3) -> keras.Model:
    transform = TransformConfig(height=height, width=width, normalize="none")
    return build_model(model, transform, num_classes, np.ones(bands), np.ones(bands))


def assign_decoder(model: keras.Model) -> None:
    """Gives the decoder the values of its arrays' published names."""
    layers = {f"linear_c.{stage}": f"linear_c.{stage}.proj" for stage in range(4)}
    layers |= {"linear_fuse": "linear_fuse", "fuse_norm": "batch_norm", "head": "classifier"}
    suffixes = ("weight", "bias", "running_mean", "running_var")
    for ours, theirs in layers.items():
        layer = model.get_layer(ours)
        arrays = []
        for weight, suffix in zip(layer.weights, suffixes, strict=False):
            kernel = len(weight.shape) > 1
            shape = (weight.shape[-1], weight.shape[-2], *weight.shape[:-2]) if kernel else tuple(weight.shape)
            array = values(f"decode_head.{theirs}.{suffix}", shape)
            arrays.append(array.reshape(shape[:2]).T.reshape(weight.shape) if kernel else array)
        layer.set_weights(arrays)


@functools.cache
def valued(name: str, height: int, width: int) -> keras.Model:
    """The model with the values of the published names."""
    model = model_of(config(name), 3, height, width)
    encoder = encoder_of(model)
    arrays = {key: values(key, shape) for key, shape in published_shapes(encoder)}
    assign_published(encoder, arrays, name, "the values")
    assign_decoder(model)
    return model


@pytest.mark.parametrize("name", SIZES)
def test_it_has_as_many_weights_as_the_published_implementation(name: str) -> None:
    with tf.Graph().as_default():
        model = model_of(config(name), 150)
        assert sum(int(np.prod(weight.shape)) for weight in model.trainable_weights) == TRAINED_WEIGHTS[name]


@pytest.mark.parametrize("name", SIZES)
def test_logits_are_those_that_the_published_implementation_had(name: str) -> None:
    """The test below asks the implementation itself, where it is installed."""
    logits = valued(name, 64, 96)(image(64, 96), training=False)
    np.testing.assert_allclose(logits[0, ::32, ::32], LOGITS[name], atol=1e-4)


@needs_transformers
@pytest.mark.slow
@pytest.mark.parametrize("name", DECODER_WIDTHS)
@pytest.mark.parametrize(("height", "width"), [(64, 96), (50, 71)])
def test_logits_are_those_of_the_published_implementation(name: str, height: int, width: int, tmp_path: Path) -> None:
    script = inspect.getsource(published_segformer) + BY_TRANSFORMERS
    arguments = [name, DECODER_WIDTHS[name], height, width, tmp_path / "logits.npy"]
    subprocess.run([PYTHON, "-c", script, *map(str, arguments)], check=True)
    logits = valued(name, height, width)(image(height, width), training=False)
    np.testing.assert_allclose(logits, np.load(tmp_path / "logits.npy"), atol=1e-4)


@pytest.mark.slow
def test_other_bands_and_mixed_precision_and_xla_work() -> None:
    pictures = image(64, 96)
    with computing_in("mixed_bfloat16"):
        model = model_of(config(), bands=3)
    model.set_weights(valued("mit_b0", 64, 96).get_weights())
    exact = valued("mit_b0", 64, 96)(pictures, training=False)
    assert model(pictures, training=False).dtype == tf.float32
    np.testing.assert_allclose(model(pictures, training=False), exact, atol=0.1 * float(np.std(exact)))
    compiled = tf.function(valued("mit_b0", 64, 96), jit_compile=True)(pictures, training=False)
    np.testing.assert_allclose(compiled, exact, atol=1e-4)
    assert model_of(config(), bands=5)(np.zeros([1, 64, 96, 5]), training=False).shape == (1, 64, 96, 3)


def test_layers_of_the_same_shape_start_differently() -> None:
    network = network_with_weights(Encoder(name="mit_b0", weights="none"), 32, 32)
    query, key = (network.get_layer(f"block.0.0.attention.self.{part}").kernel.numpy() for part in ("query", "key"))
    assert not np.allclose(query, key)
    assert np.std(query) == pytest.approx(0.02 * 0.88, rel=0.1)  # Cut off at two deviations.


def test_the_encoder_must_be_a_mix_transformer() -> None:
    with pytest.raises(ValueError, match="segformer requires the encoder mit_b0, mit_b1 or mit_b2, not vgg16"):
        SegFormer(encoder=Encoder(name="vgg16"))


def test_weights_that_keras_does_not_publish_are_asked_for_as_a_file() -> None:
    with pytest.raises(ValueError, match=r"no weights of mit_b1; convert .* `segpipe convert-weights mit_b1 FILE`"):
        Encoder(name="mit_b1")


@pytest.mark.slow
@pytest.mark.parametrize(("height", "width"), [(50, 71), (32, 32)])
def test_images_of_any_size_from_32_pixels_on_are_segmented(height: int, width: int) -> None:
    model = model_of(config(), 4, height, width)
    assert model(image(height, width), training=False).shape == (1, height, width, 4)
