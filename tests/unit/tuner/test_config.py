"""What a search may be told, and what is refused before anything runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from common.errors import UserError
from components.trainer.losses.config import CrossEntropyTerm, DiceTerm, TverskyTerm
from pipeline.config.run_config import RunConfig, load_config

MINIMAL = """
name: tiny
data:
  source: {type: folders, root: data}
  classes: [background, thing]
"""
SEARCH = "tuner={learning_rate: [0.001, 0.1]}"
UNET = "trainer.model={type: unet}"
ON_AN_ENCODER = "trainer.model={type: encoder_unet, encoder: {name: mobilenet, weights: none}}"


@pytest.fixture
def minimal(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(MINIMAL)
    return path


def test_there_is_no_search_unless_it_is_asked_for(minimal: Path) -> None:
    assert load_config(minimal).tuner is None


def test_an_empty_section_searches_the_learning_rate_alone(minimal: Path) -> None:
    tuner = load_config(minimal, ["tuner={}"]).tuner
    assert tuner
    assert tuner.learning_rate == (1e-4, 1e-2)
    assert not tuner.losses
    assert not tuner.widths
    assert tuner.augmentation is None


def test_losses_are_written_as_the_trainers(minimal: Path) -> None:
    losses = "tuner.losses=[dice, [cross_entropy, dice], [{type: tversky, alpha: 0.1}]]"
    tuner = load_config(minimal, [losses]).tuner
    assert tuner
    assert tuner.losses == ((DiceTerm(),), (CrossEntropyTerm(), DiceTerm()), (TverskyTerm(alpha=0.1),))


def test_what_is_written_is_read_again(minimal: Path) -> None:
    config = load_config(minimal, [SEARCH, "tuner.losses=[dice, focal]", "tuner.augmentation=[0, 2]"])
    assert RunConfig.model_validate_json(config.model_dump_json(by_alias=True)) == config


def test_a_trial_has_the_epochs_of_the_longest_trials(minimal: Path) -> None:
    config = load_config(minimal, [SEARCH, UNET, "tuner.max_epochs=5", "trainer.epochs=40"])
    assert config.tuner
    trial = config.tuner.trial(config.trainer, {"learning_rate": 0.05, "loss": json.dumps(["dice"]), "width": 8})
    assert (trial.epochs, trial.learning_rate, trial.loss, trial.model.width) == (5, 0.05, (DiceTerm(),), 8)


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["tuner.learning_rates=[0.1, 1]"], "tuner.learning_rates: unknown key; did you mean 'learning_rate'?"),
        (["tuner.learning_rate=[0.01, 0.001]"], "tuner.learning_rate: the range must rise, but 0.01 is not below"),
        (["tuner.learning_rate=[0, 0.001]"], "tuner.learning_rate[0]: must be a number above 0, not 0"),
        (["tuner.losses=[dice]"], "losses must be at least two different choices"),
        (["tuner.widths=[8, 8]"], "widths must be at least two different choices"),
        (
            ["tuner.losses=[dice, dise]"],
            "tuner.losses[1]: unknown type 'dise'; the types are cross_entropy, focal, dice",
        ),
        (
            [UNET, "tuner.widths=[8, 1024]"],
            "tuner.widths does not fit trainer.model.width: must be a whole number from 1 to 512, not 1024",
        ),
        (
            ["tuner={}", "tuner.max_epochs=2", "trainer.warm_up_epochs=3"],
            "tuner.max_epochs does not fit trainer: warm_up",
        ),
        (
            [ON_AN_ENCODER, "transform.normalize=none", "trainer.fine_tuning={from_epoch: 12}", "tuner={}"],
            "tuner.max_epochs does not fit trainer: fine_tuning.from_epoch (12) is beyond the 9 epochs",
        ),
        (
            ["tuner.widths=[8, 16]", "trainer.warm_start=blessed"],
            "tuner.widths must be left out with trainer.warm_start",
        ),
        (
            ["tuner.augmentation=[0, 1]", "trainer.augmentation.flip_horizontal=0"],
            "tuner.augmentation has no effect",
        ),
        (["tuner.augmentation=[1, 2]"], "tuner.augmentation has no effect"),
    ],
)
def test_a_mistake_is_named(minimal: Path, overrides: list[str], sentence: str) -> None:
    with pytest.raises(UserError) as raised:
        load_config(minimal, overrides)
    assert sentence in str(raised.value)
