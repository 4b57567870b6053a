"""What MODEL and SOURCE of `segpipe predict-batch` mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import UserError
from pipeline.cli.predict_batch import SourceOptions, batch_source, open_model

NONE = SourceOptions((), "image", None)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a folder of images, a table, and records."""
    monkeypatch.chdir(tmp_path)
    for path in ("photos/a.png", "list.csv", "notes.txt", "examples/Split-test/data_tfrecord-00000-of-00001"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("x")
    return tmp_path


@pytest.mark.parametrize(
    ("source", "options", "meant"),
    [
        ("photos", NONE, {"type": "images", "root": "photos"}),
        (
            "photos",
            SourceOptions(("*.png",), "image", None),
            {"type": "images", "root": "photos", "images": ("*.png",)},
        ),
        ("photos/**/*.png", NONE, {"type": "images", "root": "photos", "images": ("**/*.png",)}),
        ("photos/a.png", NONE, {"type": "images", "root": "photos", "images": ("a.png",)}),
        ("gs://bucket/photos", NONE, {"type": "images", "root": "gs://bucket/photos"}),
        ("list.csv", NONE, {"type": "manifest", "root": ".", "file": "list.csv", "column": "image"}),
        ("examples/Split-test", NONE, {"type": "records", "root": "examples/Split-test"}),
        (
            "examples/*/*tfrecord*",
            NONE,
            {"type": "records", "root": "examples", "files": ("*/*tfrecord*",)},
        ),
    ],
)
def test_a_source_is_recognised(here: Path, source: str, options: SourceOptions, meant: dict) -> None:
    assert batch_source(source, options) == meant


def test_the_paths_of_a_table_may_be_relative_to_another_folder(here: Path) -> None:
    source = batch_source("list.csv", SourceOptions((), "file", "photos"))
    assert source == {"type": "manifest", "root": "photos", "file": str(here / "list.csv"), "column": "file"}


@pytest.mark.parametrize(
    ("source", "options", "words"),
    [
        ("nowhere", NONE, "source not found: nowhere"),
        ("notes.txt", NONE, "SOURCE notes.txt is neither a folder, an image, a table of paths"),
        ("list.csv", SourceOptions(("*.png",), "image", None), "--images is for a folder"),
        ("photos", SourceOptions((), "image", "photos"), "--root is for a table of paths"),
    ],
)
def test_what_does_not_fit_is_refused(here: Path, source: str, options: SourceOptions, words: str) -> None:
    with pytest.raises(UserError, match=words):
        batch_source(source, options)


@pytest.mark.parametrize(
    ("model", "overrides", "words"),
    [
        ("nowhere", (), "MODEL nowhere is not a configuration .* a registry, or the folder of a SavedModel"),
        ("nowhere.yaml", (), "cannot read the configuration nowhere.yaml"),
        ("photos", ("beam.workers=0",), "--set: beam.workers: must be from 1 to 1024"),
        ("photos", ("trainer.epochs=5",), "trainer"),
    ],
)
def test_what_is_not_a_model_is_refused(here: Path, model: str, overrides: tuple[str, ...], words: str) -> None:
    with pytest.raises(UserError, match=words):
        open_model(model, None, overrides)
