"""TensorFlow Lite: conversion by TensorFlow's own converter, in float32 or quantised to 8 bits, and its interpreter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from common.signatures import MASK, PIXELS

if TYPE_CHECKING:
    from components.exporter.formats import Arrays, Predict
    from components.exporter.saved_model import SavedModel


def convert(model: SavedModel, file: Path, calibration: Iterable[Arrays]) -> None:
    """Writes the graph for one image of the model's input size, float32."""
    del calibration
    file.write_bytes(_converter(model).convert())


def convert_int8(model: SavedModel, file: Path, calibration: Iterable[Arrays]) -> None:
    """Writes the same with weights and activations of 8 bits; `calibration` decides the ranges of the activations.

    Operations without an 8-bit form stay in float32; inputs and outputs keep their types.
    """
    import tensorflow as tf

    converter = _converter(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: (one for inputs in calibration for one in one_by_one(inputs))
    file.write_bytes(converter.convert())


def load(file: Path) -> Predict:
    """Opens the file in TensorFlow Lite's interpreter."""
    import tensorflow as tf

    runner = tf.lite.Interpreter(model_path=str(file)).get_signature_runner()

    def predict(inputs: Arrays) -> npt.NDArray[np.uint8]:
        masks = [runner(**one)[MASK] for one in one_by_one(inputs)]
        return np.concatenate(masks)

    return predict


def one_by_one(inputs: Arrays) -> Iterator[dict[str, npt.NDArray[Any]]]:
    """Yields the inputs of each image of a batch; statistics are those of all."""
    for index in range(len(inputs[PIXELS])):
        yield {**inputs, PIXELS: inputs[PIXELS][index : index + 1]}


def _converter(model: SavedModel) -> Any:
    import tensorflow as tf

    signature = model.signature(any_size=False)
    specs = [_of_one_image(spec) for spec in model.specs(any_size=False)]
    module = tf.Module()  # The converter saves it, with the variables that it holds and the graph as a signature.
    module.model = model.loaded
    module.graph = tf.function(
        lambda *arrays: signature(**{spec.name: array for spec, array in zip(specs, arrays, strict=True)}),
        input_signature=specs,
        autograph=False,
    )
    return tf.lite.TFLiteConverter.from_concrete_functions([module.graph.get_concrete_function()], module)


def _of_one_image(spec: Any) -> Any:
    import tensorflow as tf

    return tf.TensorSpec([1, *spec.shape[1:]], spec.dtype, name=spec.name) if spec.name == PIXELS else spec
