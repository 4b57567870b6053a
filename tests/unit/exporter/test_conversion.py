"""Each format, converted by the real converter and asked in its own runtime."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from components.exporter.comparison import Calibration, compare
from components.exporter.config import ExportConfig
from components.exporter.exporting import Images, export_formats
from components.exporter.formats import FORMATS
from components.exporter.samples import InputSettings, LabelledImage, input_settings, whole
from components.exporter.saved_model import SavedModel
from components.exporter.tflite_format import Operator, after_the_network, before_the_network, operators
from registry.exports import EXPORTS_FILE, Exports
from tests.support.serving import CLASSES, TILE, trainer_settings


@pytest.mark.parametrize(
    ("name", "at_least"),
    [("onnx", 0.999), ("tflite", 0.999), ("tflite_int8", 0.9)],
)
def test_a_format_gives_the_masks_of_the_saved_model(
    name: str, at_least: float, model: SavedModel, images: list[LabelledImage], settings: InputSettings, tmp_path: Path
) -> None:
    form = FORMATS[name]
    if form.packages:
        pytest.importorskip(form.packages[0])
    file = tmp_path / form.file
    form.convert(model, file, Calibration(model, images, settings))
    compared = compare(form, form.load(file), model, images, settings)
    assert min(compared.agreements) >= at_least
    assert compared.mean_iou is not None
    masks = [form.load(file)(inputs) for inputs in Calibration(model, images, settings)]
    assert len(np.unique(masks)) == CLASSES


def test_only_the_network_is_quantised(
    model: SavedModel, images: list[LabelledImage], settings: InputSettings, tmp_path: Path
) -> None:
    """Grey levels, and what becomes of the logits, stay in float32."""
    file = tmp_path / "model.tflite"
    FORMATS["tflite_int8"].convert(model, file, Calibration(model, images, settings))
    kinds = [each.kind for each in operators(file.read_bytes())]
    first, last = kinds.index("QUANTIZE"), len(kinds) - 1 - kinds[::-1].index("DEQUANTIZE")
    network, outside = kinds[first : last + 1], [*kinds[:first], *kinds[last + 1 :]]
    assert network.count("QUANTIZE") == network.count("DEQUANTIZE") == 1
    assert network.count("CONV_2D") == 2
    assert {"CAST", "SOFTMAX", "ARG_MAX"} <= set(outside)
    assert "CONV_2D" not in outside


def test_the_network_is_what_is_between_the_first_and_the_last_convolution() -> None:
    graph = [
        Operator("SUB", {"image", "mean"}, {"centred"}),
        Operator("CONV_2D", {"centred", "weights"}, {"features"}),
        Operator("ADD", {"features", "centred"}, {"sum"}),
        Operator("TRANSPOSE_CONV", {"sum", "more weights"}, {"logits"}),
        Operator("LOGISTIC", {"logits"}, {"probabilities"}),
        Operator("ARG_MAX", {"probabilities"}, {"mask"}),
    ]
    assert before_the_network(graph) == {"centred"}
    assert after_the_network(graph) == {"probabilities", "mask"}


def test_the_onnx_file_takes_batches_of_any_size_and_holds_the_probabilities(
    model: SavedModel, images: list[LabelledImage], tmp_path: Path
) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("tf2onnx")
    FORMATS["onnx"].convert(model, tmp_path / "model.onnx", [])
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    assert (given.name, given.type, given.shape[-1]) == ("pixels", "tensor(uint8)", 3)
    for image in images:
        pixels_BHWC = np.repeat(whole(image).inputs["pixels"], 3, axis=0)
        mask_BHW, probabilities_BHWC = session.run(["mask", "probabilities"], {"pixels": pixels_BHWC})
        assert mask_BHW.shape == pixels_BHWC.shape[:3]
        assert mask_BHW.dtype == np.uint8
        assert probabilities_BHWC.shape == (3, TILE, TILE, CLASSES)
        np.testing.assert_allclose(probabilities_BHWC.sum(-1), 1, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_a_model_that_slides_its_window_is_exported_as_that_window(
    name: str, tiled_dir: Path, images: list[LabelledImage], tmp_path: Path
) -> None:
    form, model = FORMATS[name], SavedModel(str(tiled_dir))
    settings = input_settings(trainer_settings("tile"))
    assert not model.takes_any_size
    form.convert(model, tmp_path / form.file, Calibration(model, images, settings))
    compared = compare(form, form.load(tmp_path / form.file), model, images, settings)
    assert min(compared.agreements) >= (0.9 if form.is_quantised else 0.999)


def test_formats_are_added_beside_the_saved_model_with_their_record(
    model_dir: Path, images: list[LabelledImage], settings: InputSettings, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model_dir, folder)
    before = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    config = ExportConfig(formats=("saved_model", "tflite"))
    exports = export_formats(str(folder), Images(images, []), settings, config)
    added = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()} - before
    assert added == {Path("assets.extra/tflite/model.tflite"), Path(EXPORTS_FILE)}
    assert Exports.model_validate_json((folder / EXPORTS_FILE).read_text()) == exports
    (tflite,) = exports.formats
    assert tflite.bytes == (folder / tflite.path).stat().st_size
    assert exports.saved_model_bytes == sum((folder / path).stat().st_size for path in before)
