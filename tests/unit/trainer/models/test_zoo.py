"""What is shown of each newer part of a network: it learns, is served as it was trained, and takes a step in bfloat16
and one that XLA compiled.

Every encoder and every decoder is in one network, of narrow decoders on images of 64².  `test_encoders` has the
published sizes of encoders, `test_architectures` shapes, gradients and sizes of decoders, `test_segformer` published
logits.  Each network has a process of its own, which trains it once and answers its tests: one process for all of them
would grow to more than 10 GB.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import tf_keras as keras

from common import records
from components.trainer.architectures import (
    FPN,
    Architecture,
    DeepLabV3Plus,
    Encoder,
    EncoderName,
    EncoderUNet,
    SegFormer,
    UNet,
)
from components.trainer.export import export
from components.trainer.inference.model import ServedModel
from components.trainer.learning_config import Precision
from components.trainer.losses.build_loss import build_loss
from components.trainer.losses.config import CrossEntropyTerm
from components.trainer.metrics import SegmentationMetrics
from components.trainer.models import build_model
from components.trainer.precision import computing_in
from components.trainer.predictions import probabilities_BHWC
from components.trainer.train_step import TrainStep
from components.transform import features
from components.transform.config import TransformConfig
from components.transform.image_ops import images_from_bytes
from tests.support.own_process import own_process
from tests.support.transformed import CLASS_NAMES, NUM_CLASSES, Transformed, make_pair, run_transform

pytestmark = pytest.mark.slow
SIDE = 64
TRANSFORM = TransformConfig(height=SIDE, width=SIDE, normalize="none")
STEPS = 45
LEARNT_IOU = 0.6
LEARNING_RATE = {"convnext_tiny, group": 0.001, "resnet101, fpn": 0.001}
"""Of networks that do not learn with 0.003, or whose batch normalisation does not follow in so few steps."""
WIDTHS = (16, 8, 8, 8)


def on(name: EncoderName) -> Encoder:
    return Encoder(name=name, weights="none")


ZOO: dict[str, Architecture] = {
    "resnet101, fpn": FPN(encoder=on("resnet101"), pyramid_width=16, width=8),
    "mobilenet_v3_small, unet++": EncoderUNet(encoder=on("mobilenet_v3_small"), decoder="unet++", widths=WIDTHS),
    "mobilenet_v3_large, attention": EncoderUNet(encoder=on("mobilenet_v3_large"), widths=WIDTHS, attention=True),
    "efficientnet_v2_s, deeplab": DeepLabV3Plus(encoder=on("efficientnet_v2_s"), width=16, rates=(1, 2)),
    "convnext_tiny, group": EncoderUNet(
        encoder=on("convnext_tiny"), decoder="convolution", widths=WIDTHS, normalise="group"
    ),
    "mit_b0, segformer": SegFormer(encoder=on("mit_b0"), decoder_width=16),
    "mit_b1, segformer": SegFormer(encoder=on("mit_b1"), decoder_width=16),
    "mit_b2, segformer": SegFormer(encoder=on("mit_b2"), decoder_width=16),
    "unet, attention, group": UNet(width=8, depth=3, attention=True, normalise="group"),
}
KINDS = [name for name in ZOO if not name.startswith(("mit_b1", "mit_b2"))]
"""Networks that differ in more than their width and depth."""
Ask = Callable[..., Any]
"""Calls a function with the network's name and further arguments, in the network's process."""
# With the scope of a module pytest runs all tests of a network before it starts the next one's process.
every_network = pytest.mark.parametrize("ask", ZOO, indirect=True, scope="module")
every_kind = pytest.mark.parametrize("ask", KINDS, indirect=True, scope="module")


class Trained(NamedTuple):
    """A network after `STEPS` steps on the shapes, the loss of each, and the mean IoU there in inference."""

    network: keras.Model
    losses: list[float]
    mean_iou: float


class Step(NamedTuple):
    """The loss of a first step, the types of weights and output, and whether all weights are finite afterwards."""

    loss: float
    types: set[str]
    finite: bool


@functools.cache
def shapes() -> tuple[np.ndarray, np.ndarray]:
    """Four noisy images with a green square and a red disc before it, and their masks."""
    random = np.random.default_rng(1)
    image_BHWC = random.integers(0, 60, [4, SIDE, SIDE, 3])
    mask_BHW = np.zeros([4, SIDE, SIDE], np.uint8)
    row, column = np.mgrid[:SIDE, :SIDE]
    for image_HWC, mask_HW in zip(image_BHWC, mask_BHW, strict=True):
        top, left = random.integers(0, SIDE - 24, 2)
        mask_HW[top : top + 24, left : left + 24] = 2
        y, x = random.integers(14, SIDE - 14, 2)
        mask_HW[(row - y) ** 2 + (column - x) ** 2 < 12**2] = 1
        image_HWC[mask_HW > 0, mask_HW[mask_HW > 0] - 1] += 150
    return image_BHWC.astype(np.uint8), mask_BHW


def network_of(name: str, precision: Precision = "float32") -> keras.Model:
    """The network with the same weights each time, and without dropout, so that losses can be compared."""
    keras.utils.set_random_seed(1)
    with computing_in(precision):
        network = build_model(ZOO[name], TRANSFORM, NUM_CLASSES, np.ones(3), np.ones(3))
    for layer in network.submodules:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    return network


def train_step(
    network: keras.Model, xla: bool = False, eagerly: bool = False, learning_rate: float = 0.003
) -> TrainStep:
    made = TrainStep(network, xla=xla)
    made.compile(
        keras.optimizers.Adam(learning_rate, jit_compile=False),
        build_loss([CrossEntropyTerm()], np.ones(NUM_CLASSES)),
        [SegmentationMetrics(NUM_CLASSES)],
        run_eagerly=eagerly,
    )
    return made


@pytest.fixture(scope="module")
def transformed(tmp_path_factory: pytest.TempPathFactory) -> Transformed:
    """Images resized to the networks' input."""
    return run_transform([make_pair(index) for index in range(3)], TRANSFORM, tmp_path_factory.mktemp("transformed"))


@pytest.fixture(scope="module", autouse=True)
def _compile_in_a_hurry() -> Iterator[None]:
    """XLA without optimisation takes a fraction of the time; the flags are read when it compiles for the first time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true")
        yield


@pytest.fixture(scope="module")
def ask(request: pytest.FixtureRequest) -> Iterator[Ask]:
    """The process of the network of that name."""
    with own_process() as process:
        yield lambda function, *arguments: process.submit(function, request.param, *arguments).result()


@functools.cache
def trained(name: str) -> Trained:
    network = network_of(name)
    learner = train_step(network, learning_rate=LEARNING_RATE.get(name, 0.003))
    losses = learner.fit(tf.data.Dataset.from_tensors(shapes()), epochs=STEPS, verbose=0).history["loss"]
    measured = learner.evaluate(tf.data.Dataset.from_tensors(shapes()), verbose=0, return_dict=True)
    return Trained(network, losses, measured["mean_iou"])


def losses_and_iou(name: str) -> tuple[list[float], float]:
    return trained(name).losses, trained(name).mean_iou


def served_and_expected(name: str, graph: Path, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Returns the probabilities of two images, of the export in `folder` and of the network itself."""
    network = trained(name).network
    layer = tft.TFTransformOutput(str(graph)).transform_features_layer()
    export(ServedModel([network], layer, TRANSFORM, CLASS_NAMES, 100_000), str(folder))
    encoded = tf.constant([make_pair(index)[records.IMAGE_ENCODED] for index in range(2)])
    served = tf.saved_model.load(str(folder)).signatures["probabilities"](image=encoded)["probabilities"]
    seen = images_from_bytes(layer({records.IMAGE_ENCODED: encoded})[features.IMAGE], SIDE, SIDE)
    return served.numpy(), probabilities_BHWC(network(tf.cast(seen, tf.float32), training=False)).numpy()


def first_step(name: str, precision: Precision, xla: bool) -> Step:
    """Takes a step, eagerly unless XLA compiles it."""
    network = network_of(name, precision)
    logs = train_step(network, xla=xla, eagerly=not xla).train_on_batch(*shapes(), return_dict=True)
    return Step(
        loss=float(logs["loss"]),
        types={tensor.dtype.name for tensor in [*network.weights, network.output]},
        finite=all(np.isfinite(weight).all() for weight in network.get_weights()),
    )


@every_network
def test_it_learns_shapes(ask: Ask) -> None:
    losses, mean_iou = ask(losses_and_iou)
    assert losses[-1] < 0.5 * losses[0]
    assert mean_iou > LEARNT_IOU


@every_network
def test_it_is_served_as_it_was_trained(ask: Ask, transformed: Transformed, tmp_path: Path) -> None:
    served, expected = ask(served_and_expected, transformed.graph, tmp_path / "export")
    np.testing.assert_allclose(served, expected, atol=1e-5)


@every_kind
def test_it_takes_a_step_in_bfloat16(ask: Ask) -> None:
    losses, _ = ask(losses_and_iou)
    step = ask(first_step, "mixed_bfloat16", False)
    assert step.loss == pytest.approx(losses[0], rel=0.1)
    assert step.types == {"float32"} and step.finite


@every_kind
def test_it_takes_the_same_step_compiled_by_xla(ask: Ask) -> None:
    losses, _ = ask(losses_and_iou)
    step = ask(first_step, "float32", True)
    assert step.loss == pytest.approx(losses[0], rel=1e-3)
    assert step.finite
