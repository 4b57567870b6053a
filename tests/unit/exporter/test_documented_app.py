"""The app of docs/serving.md, with ONNX Runtime alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components.exporter.formats import FORMATS
from components.exporter.samples import LabelledImage
from components.exporter.saved_model import SavedModel
from tests.docs.blocks import blocks


def test_the_documented_app_gets_the_server_s_mask(
    model: SavedModel, images: list[LabelledImage], tmp_path: Path
) -> None:
    pytest.importorskip("tf2onnx")
    (app,) = [block.text for block in blocks() if "onnxruntime.InferenceSession" in block.text]
    assert "tensorflow" not in app
    FORMATS["onnx"].convert(model, tmp_path / "model.onnx", [])
    (tmp_path / "image.png").write_bytes(images[0].encoded)
    command = [sys.executable, "-c", app, "model.onnx", "image.png", "mask.png"]
    subprocess.run(command, cwd=tmp_path, env={"PATH": os.environ["PATH"]}, check=True, timeout=120)
    mask_HW = np.asarray(Image.open(tmp_path / "mask.png"))
    assert np.mean(mask_HW == model.mask_of_file(images[0].encoded)[0]) >= 0.999
