"""The ONNX file in another runtime: OpenVINO, in an environment of its own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from components.exporter.comparison import compare
from components.exporter.formats import FORMATS, Arrays
from components.exporter.samples import InputSettings, LabelledImage, input_settings
from components.exporter.saved_model import SavedModel
from tests.support.serving import trainer_settings

PYTHON = os.environ.get("SEGPIPE_TEST_OPENVINO", "")
PREDICT = Path(__file__).with_name("predict_by_openvino.py")
pytestmark = pytest.mark.skipif(not PYTHON, reason="SEGPIPE_TEST_OPENVINO does not name a Python that has openvino")


def agreements(model: SavedModel, images: list[LabelledImage], settings: InputSettings, folder: Path) -> list[float]:
    """Share of equal pixels of each image, between OpenVINO and the SavedModel."""
    onnx, inputs_file, masks_file = folder / "model.onnx", folder / "inputs.npz", folder / "masks.npy"
    FORMATS["onnx"].convert(model, onnx, [])

    def predict(inputs: Arrays) -> np.ndarray:
        np.savez(inputs_file, **inputs)
        command = [PYTHON, str(PREDICT), str(onnx), str(inputs_file), str(masks_file)]
        subprocess.run(command, check=True, timeout=300)
        return np.load(masks_file)

    return compare(FORMATS["onnx"], predict, model, images, settings).agreements


def test_images_of_any_size_get_the_masks_of_the_saved_model(
    model: SavedModel, images: list[LabelledImage], settings: InputSettings, tmp_path: Path
) -> None:
    pytest.importorskip("tf2onnx")
    assert min(agreements(model, images, settings, tmp_path)) >= 0.999


def test_tiles_get_the_masks_of_the_saved_model(tiled_dir: Path, images: list[LabelledImage], tmp_path: Path) -> None:
    pytest.importorskip("tf2onnx")
    settings = input_settings(trainer_settings("tile"))
    assert min(agreements(SavedModel(str(tiled_dir)), images, settings, tmp_path)) >= 0.999
