"""Every architecture and encoder of the zoo becomes ONNX."""

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
    "fcn8": on("vgg16", "fcn8"),
    "segformer": on("mit_b0", "segformer"),
}


def save(network: keras.Model, transform: TransformConfig, folder: Path) -> None:
    """Saves the one signature that a conversion at the model's size needs; all of them take several times as long."""
    served = ServedModel([network], lambda parsed: parsed, transform, CLASS_NAMES, MAX_PIXELS)
    pixels = tf.TensorSpec([None, SIDE, SIDE, 3], tf.uint8, name=PIXELS)
    graph = tf.function(served.serving_inputs, input_signature=[pixels], autograph=False)
    tf.saved_model.save(served, str(folder), signatures={SERVING_INPUTS: graph})


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_a_network_gives_the_same_masks_as_onnx(name: str, tmp_path: Path) -> None:
    pytest.importorskip("tf2onnx")
    skip_autograph_for_keras()
    keras.utils.set_random_seed(1)
    transform = TransformConfig(height=SIDE, width=SIDE, normalize="none")
    architecture = TrainerConfig.model_validate({"model": MODELS[name]}).model
    network = build_model(architecture, transform, CLASSES, np.zeros(3), np.ones(3))
    save(network, transform, tmp_path / "model")
    model, onnx = SavedModel(str(tmp_path / "model")), FORMATS["onnx"]
    onnx.convert(model, tmp_path / "model.onnx", [])
    images = [LabelledImage("image", picture(SIDE, SIDE), None)]
    settings = InputSettings(transform, is_tiled=False, scale=1, num_classes=CLASSES)
    compared = compare(onnx, onnx.load(tmp_path / "model.onnx"), model, images, settings)
    assert compared.mean_agreement > 0.99  # Random weights: many pixels are near a tie.
