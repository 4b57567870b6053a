"""TensorFlow Lite: conversion by TensorFlow's own converter, in float32 or quantised to 8 bits, and its interpreter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from common.signatures import MASK, PIXELS

if TYPE_CHECKING:
    from components.exporter.formats import Arrays, Predict
    from components.exporter.saved_model import SavedModel

_CONVOLUTIONS = {"CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED"}


class Operator(NamedTuple):
    """An operator of a TensorFlow Lite graph, with the names of its tensors."""

    kind: str
    inputs: Set[str]
    outputs: Set[str]


def convert(model: SavedModel, file: Path, calibration: Iterable[Arrays]) -> None:
    """Writes the graph for one image of the model's input size, float32."""
    del calibration
    file.write_bytes(converter(model).convert())


def convert_int8(model: SavedModel, file: Path, calibration: Iterable[Arrays]) -> None:
    """Writes the same with weights and activations of 8 bits; `calibration` decides the ranges of the activations.

    Only the network is quantised, from the first to the last convolution.  Grey levels less their mean would get steps
    of the range of all images together, which are as large as the whole contrast of a dark image normalised by its own
    deviation; and probabilities would have 256 steps.  Inputs and outputs keep their types.
    """
    file.write_bytes(quantized(model, calibration, lambda graph: before_the_network(graph) | after_the_network(graph)))


def quantized(
    model: SavedModel, calibration: Iterable[Arrays], in_float32: Callable[[Sequence[Operator]], Set[str]]
) -> bytes:
    """Returns a TensorFlow Lite file of 8 bits, except the operators whose outputs `in_float32` names."""
    import tensorflow as tf

    whole = converter(model)
    whole.optimizations = [tf.lite.Optimize.DEFAULT]
    whole.representative_dataset = lambda: (one for inputs in calibration for one in one_by_one(inputs))
    # The one public way to a choice of the operators that are quantised.
    quantizer = tf.lite.experimental.QuantizationDebugger(converter=whole)
    kept = sorted(in_float32(operators(quantizer.calibrated_model)))
    quantizer.options = tf.lite.experimental.QuantizationDebugOptions(denylisted_nodes=kept)
    content: bytes = quantizer.get_nondebug_quantized_model()
    return content


def load(file: Path, threads: int | None = None) -> Predict:
    """Opens the file in TensorFlow Lite's interpreter; without `threads` it chooses their number itself."""
    import tensorflow as tf

    runner = tf.lite.Interpreter(model_path=str(file), num_threads=threads).get_signature_runner()

    def predict(inputs: Arrays) -> npt.NDArray[np.uint8]:
        masks = [runner(**one)[MASK] for one in one_by_one(inputs)]
        return np.concatenate(masks)

    return predict


def one_by_one(inputs: Arrays) -> Iterator[dict[str, npt.NDArray[Any]]]:
    """Yields the inputs of each image of a batch; statistics are those of all."""
    for index in range(len(inputs[PIXELS])):
        yield {**inputs, PIXELS: inputs[PIXELS][index : index + 1]}


def operators(content: bytes) -> list[Operator]:
    """Returns the operators of a TensorFlow Lite file, in the order in which they are computed."""
    from tensorflow.lite.tools import flatbuffer_utils

    graph = flatbuffer_utils.convert_bytearray_to_object(content)
    main = graph.subgraphs[0]

    def names(tensors: Iterable[int]) -> Set[str]:
        return {main.tensors[index].name.decode() for index in tensors if index >= 0}

    return [
        Operator(flatbuffer_utils.opcode_to_name(graph, each.opcodeIndex), names(each.inputs), names(each.outputs))
        for each in main.operators
    ]


def before_the_network(graph: Sequence[Operator]) -> Set[str]:
    """Returns the outputs of the operators that no convolution comes before."""
    return {name for each in _first_operators(graph) for name in each.outputs}


def after_the_network(graph: Sequence[Operator]) -> Set[str]:
    """Returns the outputs of the operators that no convolution comes after."""
    backwards = [Operator(kind, out, given) for kind, given, out in reversed(graph)]
    return {name for each in _first_operators(backwards) for name in each.inputs}


def _first_operators(graph: Iterable[Operator]) -> list[Operator]:
    """Returns the operators that neither are convolutions nor depend on one."""
    reached: set[str] = set()
    found = []
    for each in graph:
        if each.kind in _CONVOLUTIONS or not reached.isdisjoint(each.inputs):
            reached |= each.outputs
        else:
            found.append(each)
    return found


def converter(model: SavedModel) -> Any:
    """Returns TensorFlow Lite's converter of the graph for one image of the model's input size."""
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
