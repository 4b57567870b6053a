"""One YAML file is one use case: what fits is typed, what does not is refused with the key's path."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.errors import UserError
from components.trainer.config import UNet
from pipeline.config import RunConfig, load_config

CONFIGS = Path("pipeline/configs")
NOT_YET = {"pets": "encoder_unet", "pets-fcn8": "fcn8", "clothing": "encoder_unet"}
MINIMAL = """
name: tiny
data:
  source: {type: folders, root: data}
  classes: [background, thing]
"""


@pytest.fixture
def minimal(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(MINIMAL)
    return path


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_configuration_is_sound_or_refused_by_its_architecture(path: Path) -> None:
    if path.stem in NOT_YET:
        with pytest.raises(UserError, match=f"architecture '{NOT_YET[path.stem]}' is not available"):
            load_config(path)
        replaced = load_config(path, ["trainer.model={type: unet}"])
        assert replaced.name == path.stem
    else:
        assert load_config(path).name == path.stem


def test_shipped_configurations_have_a_schema() -> None:
    for path in CONFIGS.glob("*.yaml"):
        assert load_config(path, ["trainer.model={type: unet}"]).schema_file.exists()


def test_the_clothing_configuration_has_59_classes() -> None:
    assert len(load_config(CONFIGS / "clothing.yaml", ["trainer.model={type: unet}"]).data.classes) == 59


def test_what_is_not_said_has_a_default(minimal: Path) -> None:
    config = load_config(minimal)
    assert config.trainer.model == UNet(width=64, depth=4)
    assert config.registry_uri == str(config.workspace_dir / "registry")
    assert config.workspace_dir.parts[-2:] == ("runs", "tiny")


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("trainer.epochz=3", "trainer.epochz is no known key; did you mean 'epochs'?"),
        ("data.source.rot=x", "data.source.rot is no known key; did you mean 'root'?"),
        ("data.source.type=folder", "does not match any of the expected tags: 'folders', 'manifest', 'tfds'"),
        ("trainer.epochs=many", "trainer.epochs: Input should be a valid integer"),
        ("trainer.epochs=0", "trainer.epochs: Input should be greater than or equal to 1"),
        ("trainer.model.type=transformer", "architecture 'transformer' is not available; there is unet"),
        ("transform.height=100", "must be divisible by 16"),
        ("data.classes=[one]", "data.classes: Tuple should have at least 2 items"),
        ("data.classes=[one, null]", "data.classes.1: must be a text; put it in quotes"),
        ("data.classes=[one, one]", "class 'one' is named twice"),
        ("data.split={train: 0.5}", "train, eval and test must add up to 1, but add up to 0.7"),
        ("data.labels={type: values, classes: {0: sky}}", "labels name class 'sky'"),
        ("data.labels={type: colours, classes: {red: thing}}", "'red' is no colour; write it as '#rrggbb'"),
        ("evaluator.thresholds=[{metric: iou/thing}]", "give at_least, may_drop or both"),
        ("evaluator.thresholds=[{metric: iou/thin, at_least: 0.5}]", "there is no class 'thin'; did you mean 'thing'?"),
        ("evaluator.slices=[camera]", "there is no slice 'camera'"),
        ("name=Not A Name", "name: String should match pattern"),
    ],
)
def test_a_mistake_is_named_with_its_key_and_what_would_be_right(minimal: Path, override: str, sentence: str) -> None:
    with pytest.raises(UserError) as raised:
        load_config(minimal, [override])
    assert sentence in str(raised.value)
    assert str(minimal) in str(raised.value)


def test_quarter_turns_of_an_oblong_are_impossible(minimal: Path) -> None:
    overrides = ["transform.height=64", "transform.width=128", "trainer.augmentation.quarter_turns=true"]
    with pytest.raises(UserError, match=r"quarter_turns needs transform\.height = width, which are 64×128"):
        load_config(minimal, overrides)


def test_tiles_that_would_fill_the_memory_are_refused(minimal: Path) -> None:
    overrides = ["transform.height=2048", "transform.width=2048", "trainer.max_pixels=10000000000"]
    load_config(minimal, overrides)
    with pytest.raises(UserError, match=r"mode tile would hold 1\.6 GB .* lower trainer\.max_pixels to \d+"):
        load_config(minimal, [*overrides, "trainer.inference.mode=tile"])


def test_all_mistakes_are_named_at_once(minimal: Path) -> None:
    with pytest.raises(UserError) as raised:
        load_config(minimal, ["trainer.epochz=3", "transform.heigth=3"])
    assert "epochz" in str(raised.value)
    assert "heigth" in str(raised.value)


@pytest.mark.parametrize("override", ["trainer.epochs", "=3", "name.x=3", "trainer.epochs=[1"])
def test_an_override_that_is_none_says_how_to_write_one(minimal: Path, override: str) -> None:
    with pytest.raises(UserError, match="--set"):
        load_config(minimal, [override])


def test_a_file_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(UserError, match=r"cannot read .*No such file.*sample\.yaml"):
        load_config("pipeline/configs/sampel.yaml")


@pytest.mark.parametrize("text", ["a: [1", "- 1", "", "\tx"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=r"broken\.yaml"):
        load_config(path)


def test_a_picture_given_as_configuration_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n\xff\xfe")
    with pytest.raises(UserError, match="is no text file"):
        load_config(path)


def test_a_configuration_survives_the_trip_to_a_component_and_back() -> None:
    config = load_config(CONFIGS / "nuclei.yaml")
    assert RunConfig.model_validate_json(config.model_dump_json(by_alias=True)) == config
