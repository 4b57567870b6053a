"""`--set @FILE` merges sections and replaces all other values."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import UserError
from pipeline.config.run_config import RunConfig, load_config


def patched(minimal: Path, before: str, patch: str, *overrides: str) -> RunConfig:
    config, file = minimal.with_name("before.yaml"), minimal.with_name("patch.yaml")
    config.write_text(minimal.read_text() + before)
    file.write_text(patch)
    return load_config(config, [f"@{file}", *overrides])


def test_sections_are_merged_and_the_last_override_decides(minimal: Path) -> None:
    before = "transform: {height: 64, width: 64}\ntrainer: {batch_size: 4, model: {width: 8}}\n"
    patch = "transform: {width: 96}\ntrainer: {epochs: 3, model: {depth: 2}}\n"
    config = patched(minimal, before, patch, "trainer.epochs=5")
    assert (config.transform.height, config.transform.width) == (64, 96)
    assert (config.trainer.batch_size, config.trainer.epochs) == (4, 5)
    assert (config.trainer.model.width, config.trainer.model.depth) == (8, 2)  # type: ignore[union-attr]


def test_a_mapping_by_name_is_replaced(minimal: Path) -> None:
    before = "trainer: {class_weights: {background: 2, thing: 3}}\n"
    assert patched(minimal, before, "trainer: {class_weights: {thing: 4}}").trainer.class_weights == {"thing": 4}


def test_a_section_of_another_type_and_an_empty_section_replace(minimal: Path) -> None:
    before = "trainer: {schedule: {type: cosine, end: 0.5}, windows: {foreground: 0.5}}\ntransform: {mode: crop}\n"
    patch = "trainer: {schedule: {type: polynomial, power: 2}, windows: {}}\ntransform: {mode: resize}\n"
    trainer = patched(minimal, before, patch).trainer
    assert trainer.schedule.type == "polynomial"
    assert trainer.windows.foreground == 0.25


def test_null_replaces(minimal: Path) -> None:
    before = "trainer: {augmentation: {central_crop: {probability: 0.5}}}\n"
    assert patched(minimal, "", "serving_check: null\n").serving_check is None
    assert patched(minimal, before, "trainer: {augmentation: {central_crop: null}}").trainer.augmentation == (
        load_config(minimal).trainer.augmentation
    )


@pytest.mark.parametrize(
    ("patch", "error"),
    [
        ("trainer: {epoch: 3}", r"before\.yaml, --set: .*epoch.*unknown key"),
        ("trainer: [", r"--set @.*patch\.yaml, line 1: "),
        ("- a", r"patch\.yaml must be a mapping"),
    ],
)
def test_a_wrong_patch_is_named(minimal: Path, patch: str, error: str) -> None:
    with pytest.raises(UserError, match=error):
        patched(minimal, "", patch)


def test_a_missing_patch_is_named(minimal: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere\.yaml"):
        load_config(minimal, ["@nowhere.yaml"])
