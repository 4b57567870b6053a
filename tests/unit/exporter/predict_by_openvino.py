"""Masks of an ONNX file by OpenVINO.

Run by test_openvino.py with the Python of SEGPIPE_TEST_OPENVINO: ONNX_FILE INPUTS.npz MASKS.npy.
"""

from __future__ import annotations

import sys

import numpy as np
import openvino

EXACT = {"INFERENCE_PRECISION_HINT": "f32"}  # Processors with bfloat16 would compute in it.


def main(model: str, inputs: str, out: str) -> None:
    """Predicts the arrays of a file by their names."""
    compiled = openvino.Core().compile_model(model, "CPU", EXACT)
    with np.load(inputs) as arrays:
        outputs = compiled(dict(arrays))
    np.save(out, outputs[compiled.output("mask")])


if __name__ == "__main__":
    main(*sys.argv[1:])
