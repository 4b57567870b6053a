"""Networks that a converter refuses, and machines that are too small: one sentence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from common.errors import UserError
from common.signatures import MASK, PIXELS, SERVING_INPUTS
from components.exporter.conversion import convert
from components.exporter.formats import FORMATS
from components.exporter.saved_model import SavedModel


@pytest.fixture(scope="module")
def unusual(tmp_path_factory: pytest.TempPathFactory) -> SavedModel:
    """A model with an operation that neither ONNX nor TensorFlow Lite has."""

    class Unusual(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.uint8, name=PIXELS)], autograph=False)
        def predict(self, pixels: tf.Tensor) -> dict[str, tf.Tensor]:
            grey_BHW = tf.cast(pixels[..., 0], tf.float32)
            return {MASK: tf.cast(tf.math.igamma(grey_BHW, grey_BHW + 1) > 0, tf.uint8)}

    module, folder = Unusual(), str(tmp_path_factory.mktemp("unusual"))
    tf.saved_model.save(module, folder, signatures={SERVING_INPUTS: module.predict})
    return SavedModel(folder)


@pytest.mark.parametrize("name", ["onnx", "tflite"])
def test_a_network_with_an_operation_that_a_format_lacks_is_refused_with_its_name(
    name: str, unusual: SavedModel, tmp_path: Path
) -> None:
    form = FORMATS[name]
    for package in form.packages:
        pytest.importorskip(package)
    sentence = rf"^export\.formats: the network cannot be converted to {name} \(.*Igamma.*\); take the format out$"
    with pytest.raises(UserError, match=sentence):
        convert(form, unusual, tmp_path / form.file, [], "export.formats")


def failing(error: Exception) -> Callable[..., Any]:
    def fail(*_: Any) -> None:
        raise error

    return fail


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("std::bad_alloc")])
def test_too_little_memory_is_said_to_be_that(error: Exception, model: SavedModel, tmp_path: Path) -> None:
    form = replace(FORMATS["tflite"], convert=failing(error))
    with pytest.raises(UserError, match="not enough memory to convert the network to tflite: end other programs"):
        convert(form, model, tmp_path / form.file, [], "export.formats")


def test_a_full_disk_stays_a_fault_of_the_machine(model: SavedModel, tmp_path: Path) -> None:
    form = replace(FORMATS["tflite"], convert=failing(OSError(28, "No space left on device", "/tmp/a/b")))
    with pytest.raises(OSError, match="No space left"):
        convert(form, model, tmp_path / form.file, [], "export.formats")
