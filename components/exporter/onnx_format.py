"""ONNX: conversion by tf2onnx, prediction by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from common.signatures import MASK

if TYPE_CHECKING:
    from components.exporter.formats import Arrays, Predict
    from components.exporter.saved_model import SavedModel

OPSET = 17
"""Version of ONNX's operators: of 2022, which the runtimes in use have."""


def convert(model: SavedModel, file: Path, calibration: Iterable[Arrays]) -> None:
    """Writes the graph for arrays, of images of any size if the model resizes them; the batch is dynamic."""
    import tensorflow as tf
    import tf2onnx

    del calibration
    signature, specs = model.signature(any_size=True), model.specs(any_size=True)
    graph = tf.function(
        lambda *arrays: signature(**{spec.name: array for spec, array in zip(specs, arrays, strict=True)}),
        input_signature=specs,
        autograph=False,
    )
    tf2onnx.convert.from_function(graph, specs, opset=OPSET, output_path=str(file))


def load(file: Path, threads: int | None = None) -> Predict:
    """Opens the file in ONNX Runtime on the CPU; without `threads` it chooses their number itself."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])

    def predict(inputs: Arrays) -> npt.NDArray[np.uint8]:
        mask_BHW: npt.NDArray[np.uint8] = session.run([MASK], dict(inputs))[0]
        return mask_BHW

    return predict
