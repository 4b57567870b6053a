"""The step as TFX runs it."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import pytest
import tensorflow as tf
from tfx.types import artifact, channel_utils, standard_artifacts

from common.errors import UserError
from components.exporter.component import FormatExporter
from components.exporter.config import ExportConfig
from components.exporter.executor import Executor
from components.exporter.samples import LabelledImage
from registry.exports import read_exports
from registry.hashing import hash_folder
from registry.local_storage import LocalStorage
from registry.store import Registry
from tests.support.exported import record
from tests.support.serving import BIRTH, trainer_settings

Artifacts = dict[str, list[artifact.Artifact]]


@pytest.fixture
def inputs(model_dir: Path, images: list[LabelledImage], tmp_path: Path) -> Artifacts:
    shutil.copytree(model_dir, tmp_path / "trained" / "Format-Serving")
    examples, model = standard_artifacts.Examples(), standard_artifacts.Model()
    examples.uri, model.uri = str(tmp_path / "examples"), str(tmp_path / "trained")
    examples.split_names = '["train", "eval", "test"]'
    for split in ("train", "test"):
        (tmp_path / "examples" / f"Split-{split}").mkdir(parents=True)
        with tf.io.TFRecordWriter(str(tmp_path / "examples" / f"Split-{split}" / "data-00000")) as writer:
            for image in images:
                writer.write(record(image))
    return {"examples": [examples], "model": [model]}


@pytest.fixture
def outputs(tmp_path: Path) -> Artifacts:
    model = standard_artifacts.Model()
    model.uri = str(tmp_path / "exported")
    return {"exported_model": [model]}


def do(inputs: Artifacts, outputs: Artifacts, **config: object) -> None:
    settings = ExportConfig.model_validate({"formats": ["saved_model", "tflite_int8"], **config}).model_dump_json()
    parameters = {"config": settings, "trainer_settings": trainer_settings("resize"), "seed": 1, "code": ""}
    Executor().Do(inputs, outputs, parameters)


def test_the_version_that_is_pushed_holds_the_formats_verified_by_its_hashes(
    inputs: Artifacts, outputs: Artifacts, tmp_path: Path
) -> None:
    do(inputs, outputs, max_iou_loss=0.5)
    exported = f"{outputs['exported_model'][0].uri}/Format-Serving"
    trained = hash_folder(LocalStorage(f"{inputs['model'][0].uri}/Format-Serving"))
    assert trained.items() < hash_folder(LocalStorage(exported)).items()
    registry = Registry(str(tmp_path / "registry"))
    manifest, _ = registry.push(exported, **BIRTH)
    registry.verify(1)
    exports = read_exports(registry, 1)
    assert exports is not None
    (int8,) = exports.formats
    assert int8.format == "tflite_int8"
    assert len(registry.read_file(manifest, int8.path)) == int8.bytes
    (tmp_path / "registry" / "versions" / "1" / int8.path).write_bytes(b"x")
    with pytest.raises(UserError, match=r"model\.tflite is not the file that was pushed"):
        registry.read_file(manifest, int8.path)


def test_all_formats_are_tried_before_the_refused_ones_end_the_run(
    inputs: Artifacts, outputs: Artifacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("components.exporter.exporting.refusal", lambda form, compared, config: f"{form.name} differs")
    with pytest.raises(UserError, match=r"tflite and tflite_int8 are not exported.*; tflite_int8: tflite_int8 differs"):
        do(inputs, outputs, formats=["saved_model", "tflite", "tflite_int8"])


def test_a_format_that_loses_too_much_ends_the_run_with_its_figures(
    inputs: Artifacts, outputs: Artifacts, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("components.exporter.exporting.iou_loss", lambda compared: 0.2)
    with (
        caplog.at_level(logging.INFO, logger="segpipe.progress"),
        pytest.raises(UserError, match=r"tflite_int8 is not exported, and nothing is pushed.*0\.2000 below"),
    ):
        do(inputs, outputs)
    assert "(-0.2000), ranges of 3 images" in caplog.messages[-1]
    assert not Path(f"{outputs['exported_model'][0].uri}/Format-Serving/assets.extra/exports.json").exists()


def test_without_test_images_nothing_can_be_checked(inputs: Artifacts, outputs: Artifacts, tmp_path: Path) -> None:
    for file in (tmp_path / "examples" / "Split-test").iterdir():
        file.unlink()
    with pytest.raises(UserError, match=r"the test split is empty.*raise data\.split\.test"):
        do(inputs, outputs)


def test_the_component_declares_a_model() -> None:
    exporter = FormatExporter(
        examples=channel_utils.as_channel([standard_artifacts.Examples()]),
        model=channel_utils.as_channel([standard_artifacts.Model()]),
        config=ExportConfig(),
        trainer_settings="{}",
        seed=1,
    )
    assert exporter.outputs["exported_model"].type is standard_artifacts.Model
