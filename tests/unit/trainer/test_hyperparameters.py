"""What a search chose, put in place of the configuration's."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from components.trainer.architectures import FCN8, Architecture, DeepLabV3Plus, Encoder, EncoderUNet, UNet
from components.trainer.config import TrainerConfig
from components.trainer.hyperparameters import described, loss_text, searched, with_hyperparameters
from components.trainer.losses.config import CrossEntropyTerm, DiceTerm, FocalTerm

ENCODER = Encoder(name="vgg16", weights="none")


def test_nothing_chosen_leaves_all_as_it_is() -> None:
    config = TrainerConfig(epochs=7)
    assert with_hyperparameters(config, {}) is config


def test_only_what_is_named_changes() -> None:
    config = TrainerConfig(epochs=7, learning_rate=0.1)
    changed = with_hyperparameters(config, {"learning_rate": 0.5})
    assert changed == config.model_copy(update={"learning_rate": 0.5})


@pytest.mark.parametrize("terms", [(DiceTerm(),), (CrossEntropyTerm(label_smoothing=0.1), FocalTerm(gamma=1))])
def test_a_loss_goes_through_its_text(terms: tuple[Any, ...]) -> None:
    assert with_hyperparameters(TrainerConfig(), {"loss": loss_text(terms)}).loss == terms


@pytest.mark.parametrize(
    ("model", "wide"),
    [
        (UNet(depth=3), UNet(depth=3, width=24)),
        (DeepLabV3Plus(encoder=ENCODER), DeepLabV3Plus(encoder=ENCODER, width=24)),
        (FCN8(encoder=ENCODER), FCN8(encoder=ENCODER, head_width=24)),
        (EncoderUNet(encoder=ENCODER), EncoderUNet(encoder=ENCODER, widths=(24, 12, 6, 3))),
    ],
)
def test_each_architecture_has_its_width(model: Architecture, wide: Architecture) -> None:
    assert with_hyperparameters(TrainerConfig(model=model), {"width": 24}).model == wide


def test_a_width_that_the_architecture_does_not_take_is_refused() -> None:
    with pytest.raises(ValidationError):
        with_hyperparameters(TrainerConfig(model=UNet()), {"width": 0})


def test_a_strength_is_put_into_the_augmentation() -> None:
    config = TrainerConfig.model_validate({"augmentation": {"rotate": {"degrees": 20}}})
    changed = with_hyperparameters(config, {"augmentation": 0.5}).augmentation
    assert changed.rotate
    assert changed.rotate.degrees == 10


def test_what_hyperband_adds_for_itself_is_left_out() -> None:
    values = {"learning_rate": 0.1, "tuner/epochs": 3, "tuner/bracket": 1}
    assert searched({"space": [], "values": values}) == {"learning_rate": 0.1}
    assert searched(None) == {}


def test_a_person_reads_names() -> None:
    loss = loss_text((CrossEntropyTerm(), FocalTerm(gamma=1)))
    assert described({"learning_rate": 0.00123456, "loss": loss, "width": 32}) == (
        "learning_rate 0.00123, loss cross_entropy + focal(factor 1.0, gamma 1.0), width 32"
    )
