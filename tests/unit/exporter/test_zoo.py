"""Every architecture and encoder of the zoo becomes ONNX and TensorFlow Lite; of each family one in 8 bits.

Each network has a process of its own: one for all of them would grow to more than 10 GB.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

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
from tests.support.own_process import own_process
from tests.support.serving import CLASS_NAMES, CLASSES, MAX_PIXELS, picture

Result = TypeVar("Result")
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


class Network(NamedTuple):
    """The name of a network of the zoo, the folder that it is saved in, and its process."""

    name: str
    folder: Path
    process: Executor

    def ask(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Calls `function` in the process, with the network's name and folder before the other arguments."""
        return self.process.submit(function, self.name, self.folder, *arguments).result()


@pytest.fixture(scope="module", params=MODELS)
def network(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    with own_process() as process:
        yield Network(request.param, tmp_path_factory.mktemp("network"), process)


@functools.cache
def saved(name: str, folder: Path) -> SavedModel:
    """Saves the network with random weights."""
    skip_autograph_for_keras()
    keras.utils.set_random_seed(1)
    architecture = TrainerConfig.model_validate({"model": MODELS[name]}).model
    save(build_model(architecture, TRANSFORM, CLASSES, np.zeros(3), np.ones(3)), TRANSFORM, folder)
    keras.backend.clear_session()
    return SavedModel(str(folder))


def agreement(name: str, folder: Path, format_name: str, file: Path) -> float:
    """Returns the share of pixels to which the network and its file in the format give the same class."""
    network, form = saved(name, folder), FORMATS[format_name]
    form.convert(network, file, [])
    images = [LabelledImage("image", picture(SIDE, SIDE), None)]
    settings = InputSettings(TRANSFORM, is_tiled=False, scale=1, num_classes=CLASSES)
    return compare(form, form.load(file), network, images, settings).mean_agreement


def masks_of_lite_files(name: str, folder: Path, files: dict[str, Path]) -> dict[str, np.ndarray]:
    """Writes a file of each format, and returns its masks of four images."""
    inputs = [{PIXELS: blocks_BHWC(seed)} for seed in range(4)]
    masks = {}
    for format_name, file in files.items():
        FORMATS[format_name].convert(saved(name, folder), file, inputs)
        masks[format_name] = np.concatenate([FORMATS[format_name].load(file)(one) for one in inputs])
    return masks


@pytest.mark.slow
@pytest.mark.parametrize("name", ["onnx", "tflite"])
def test_a_network_gives_the_same_masks_in(name: str, network: Network, tmp_path: Path) -> None:
    for package in FORMATS[name].packages:
        pytest.importorskip(package)
    assert network.ask(agreement, name, tmp_path / "model") > 0.99  # Random weights: many pixels are near a tie.


@pytest.mark.slow
@pytest.mark.parametrize("network", QUANTISED, indirect=True)
def test_a_family_in_8_bits_gives_the_masks_of_its_float32_file(network: Network, tmp_path: Path) -> None:
    """Random weights say nothing about the loss of a trained network; they show that nothing is lost altogether."""
    files = {name: tmp_path / name for name in ("tflite", "tflite_int8")}
    masks = network.ask(masks_of_lite_files, files)
    assert np.mean(masks["tflite"] == masks["tflite_int8"]) > 0.93
    assert files["tflite_int8"].stat().st_size < 0.45 * files["tflite"].stat().st_size


def blocks_BHWC(seed: int) -> np.ndarray:
    """An image of blocks of random colours."""
    coarse_BHWC = np.random.default_rng(seed).integers(0, 256, [1, SIDE // 8, SIDE // 8, 3]).astype(np.uint8)
    return coarse_BHWC.repeat(8, axis=1).repeat(8, axis=2)
