"""Every architecture and encoder of the zoo becomes ONNX and TensorFlow Lite; of each family one in 8 bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from common.compatibility import skip_autograph_for_keras
from common.signatures import PIXELS, SERVING_INPUTS
from components.exporter.comparison import compare
from components.exporter.formats import FORMATS
from components.exporter.samples import InputSettings, LabelledImage
from components.exporter.saved_model import SavedModel
from components.trainer.config import TrainerConfig
from components.trainer.encoder_specs import ENCODERS
from components.trainer.inference.model import ServedModel
from components.trainer.models import build_model
from components.transform.config import TransformConfig
from tests.support.serving import CLASS_NAMES, CLASSES, MAX_PIXELS, picture

SIDE = 64
TRANSFORM = TransformConfig(height=SIDE, width=SIDE, normalize="none")


def on(encoder: str, kind: str = "encoder_unet", **settings: Any) -> dict[str, Any]:
    return {"type": kind, "encoder": {"name": encoder, "weights": "none"}, **settings}


MODELS: dict[str, dict[str, Any]] = {
    "unet": {"type": "unet", "width": 8, "depth": 2},
    "unet-attention": {"type": "unet", "width": 8, "depth": 2, "attention": True},
    "unet-group": {"type": "unet", "width": 8, "depth": 2, "normalise": "group"},
    **{encoder: on(encoder) for encoder in ENCODERS},
    "unet++": on("mobilenet", decoder="unet++"),
    "deeplabv3plus": on("mobilenet", "deeplabv3plus"),
    "fpn": on("mobilenet", "fpn"),
    "fcn8": on("vgg16", "fcn8", head_width=64),  # The default of 4096 takes 14 GB and minutes.
    "segformer": on("mit_b0", "segformer"),
}

QUANTISED = ("unet", "unet-group", "mobilenet_v2", "mobilenet_v3_small", "efficientnet_v2_b0", "fpn", "segformer")
"""One of each kind of layers: plain, group normalisation, depthwise, squeeze and excitation, pyramid, attention."""


def save(network: keras.Model, transform: TransformConfig, folder: Path) -> None:
    """Saves the one signature that a conversion at the model's size needs; all of them take several times as long."""
    served = ServedModel([network], lambda parsed: parsed, transform, CLASS_NAMES, MAX_PIXELS)
    pixels = tf.TensorSpec([None, SIDE, SIDE, 3], tf.uint8, name=PIXELS)
    graph = tf.function(served.serving_inputs, input_signature=[pixels], autograph=False)
    tf.saved_model.save(served, str(folder), signatures={SERVING_INPUTS: graph})


@pytest.fixture(scope="module", params=MODELS)
def network(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> SavedModel:
    """A network of the zoo with random weights."""
    skip_autograph_for_keras()
    keras.utils.set_random_seed(1)
    architecture = TrainerConfig.model_validate({"model": MODELS[request.param]}).model
    folder = tmp_path_factory.mktemp("network")
    save(build_model(architecture, TRANSFORM, CLASSES, np.zeros(3), np.ones(3)), TRANSFORM, folder)
    keras.backend.clear_session()
    return SavedModel(str(folder))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["onnx", "tflite"])
def test_a_network_gives_the_same_masks_in(name: str, network: SavedModel, tmp_path: Path) -> None:
    form, file = FORMATS[name], tmp_path / "model"
    for package in form.packages:
        pytest.importorskip(package)
    form.convert(network, file, [])
    images = [LabelledImage("image", picture(SIDE, SIDE), None)]
    settings = InputSettings(TRANSFORM, is_tiled=False, scale=1, num_classes=CLASSES)
    compared = compare(form, form.load(file), network, images, settings)
    assert compared.mean_agreement > 0.99  # Random weights: many pixels are near a tie.


@pytest.mark.slow
@pytest.mark.parametrize("network", QUANTISED, indirect=True)
def test_a_family_in_8_bits_gives_the_masks_of_its_float32_file(network: SavedModel, tmp_path: Path) -> None:
    """Random weights say nothing about the loss of a trained network; they show that nothing is lost altogether."""
    inputs = [{PIXELS: blocks_BHWC(seed)} for seed in range(4)]
    masks = {}
    for name in ("tflite", "tflite_int8"):
        FORMATS[name].convert(network, tmp_path / name, inputs)
        masks[name] = np.concatenate([FORMATS[name].load(tmp_path / name)(one) for one in inputs])
    assert np.mean(masks["tflite"] == masks["tflite_int8"]) > 0.93
    assert (tmp_path / "tflite_int8").stat().st_size < 0.45 * (tmp_path / "tflite").stat().st_size


def blocks_BHWC(seed: int) -> np.ndarray:
    """An image of blocks of random colours."""
    coarse_BHWC = np.random.default_rng(seed).integers(0, 256, [1, SIDE // 8, SIDE // 8, 3]).astype(np.uint8)
    return coarse_BHWC.repeat(8, axis=1).repeat(8, axis=2)
