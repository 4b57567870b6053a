"""What a configuration may say about the course of a training."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import UserError
from components.trainer.learning_config import SGD, AdamW, Cosine, Polynomial
from pipeline.config.run_config import RunConfig, load_config


def test_a_name_stands_for_a_section_with_its_defaults(minimal: Path) -> None:
    trainer = load_config(minimal, ["trainer.schedule=polynomial", "trainer.optimizer=adamw"]).trainer
    assert trainer.schedule == Polynomial(power=0.9)
    assert trainer.optimizer == AdamW(weight_decay=0.01)


def test_a_section_says_more(minimal: Path) -> None:
    overrides = ["trainer.schedule={type: cosine, end: 0.1}", "trainer.optimizer={type: sgd, momentum: 0.8}"]
    trainer = load_config(minimal, overrides).trainer
    assert trainer.schedule == Cosine(end=0.1)
    assert trainer.optimizer == SGD(momentum=0.8)


def test_a_step_sees_the_pictures_of_all_its_batches(minimal: Path) -> None:
    trainer = load_config(minimal, ["trainer.batch_size=6", "trainer.accumulate=4"]).trainer
    assert trainer.pictures_per_step == 24


def test_what_is_written_is_read_again(minimal: Path) -> None:
    config = load_config(minimal, ["trainer.schedule=plateau", "trainer.precision=mixed_float16"])
    assert RunConfig.model_validate_json(config.model_dump_json(by_alias=True)) == config


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (
            ["trainer.schedule=linear"],
            "unknown type 'linear'; the types are constant, cosine, polynomial, step and plateau",
        ),
        (["trainer.schedule={type: cosine, ends: 1}"], "trainer.schedule.ends: unknown key; did you mean 'end'?"),
        (
            ["trainer.optimizer={type: sgd, momentum: 1}"],
            "trainer.optimizer.momentum: must be a number of at least 0 and below 1, not 1",
        ),
        (["trainer.precision=float16"], "'float32', 'mixed_float16', 'mixed_bfloat16' or 'auto'"),
        (["trainer.warm_up_epochs=20"], "warm_up_epochs must be fewer than the 20 epochs"),
        (["trainer.fine_tuning={from_epoch: 21}"], "fine_tuning.from_epoch (21) is beyond the 20 epochs"),
        (
            ["trainer.model={type: unet}", "trainer.fine_tuning={from_epoch: 5}"],
            "fine_tuning needs an architecture with an encoder, but unet has none",
        ),
        (
            ["trainer.model={type: unet}", "trainer.fine_tuning={from_epoch: null}"],
            "fine_tuning needs an architecture with an encoder",
        ),
        (
            ["trainer.fine_tuning={from_epoch: 1}"],
            "trainer.fine_tuning.from_epoch: must be a whole number of at least 2, not 1",
        ),
        (["trainer.average=1"], "trainer.average: must be a number above 0 and below 1, not 1"),
    ],
)
def test_a_mistake_is_named(minimal: Path, overrides: list[str], sentence: str) -> None:
    with pytest.raises(UserError) as raised:
        load_config(minimal, overrides)
    assert sentence in str(raised.value)
