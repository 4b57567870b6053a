"""`segpipe export` of a format that the version does not hold: its SavedModel is converted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from components.exporter.samples import LabelledImage
from pipeline.cli.main import cli
from registry.store import Registry
from tests.support.serving import BIRTH, CLASS_NAMES, trainer_settings


@pytest.fixture
def registry(model_dir: Path, tmp_path: Path) -> Registry:
    """Version 1 is a SavedModel only, and is served."""
    settings = json.loads(trainer_settings("resize"))
    config = {name: json.loads(settings[name]) for name in ("trainer", "transform")}
    registry = Registry(str(tmp_path / "registry"))
    registry.push(str(model_dir), **BIRTH | {"config": {**config, "data": {"classes": CLASS_NAMES}}})
    registry.serve(1)
    return registry


@pytest.fixture
def folder(images: list[LabelledImage], tmp_path: Path) -> Path:
    """A folder of the images, and a text."""
    folder = tmp_path / "images"
    folder.mkdir()
    for image in images:
        (folder / f"{image.id}.png").write_bytes(image.encoded)
    (folder / "notes.txt").write_text("a")
    return folder


def export(registry: Registry, folder: Path, out: Path, *options: str) -> Result:
    arguments = ["export", registry.uri, "--format", "tflite_int8", "--out", str(out), "--images", str(folder)]
    return CliRunner().invoke(cli, [*arguments, *options])


def test_a_conversion_is_compared_on_all_images_and_says_what_it_skipped(
    registry: Registry, folder: Path, tmp_path: Path
) -> None:
    result = export(registry, folder, tmp_path / "a.tflite", "--at-least", "0.8")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "a.tflite").stat().st_size > 1000
    assert "converted from version 1: tflite_int8" in result.output
    assert "in the worst of 3 images, ranges of 3 images; skipped in the folders: 1 .txt" in result.output


def test_an_image_that_cannot_be_decoded_is_named_before_the_conversion(
    registry: Registry, folder: Path, tmp_path: Path
) -> None:
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    result = export(registry, folder, tmp_path / "a.tflite")
    assert result.exit_code == 1
    assert f"error: the image {folder / 'broken.jpg'} cannot be decoded" in result.output
    assert not (tmp_path / "a.tflite").exists()
