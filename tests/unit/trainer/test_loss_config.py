"""What may be said of losses, and what is refused."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from components.trainer.config import TrainerConfig
from components.trainer.losses.config import (
    CrossEntropyTerm,
    DiceTerm,
    FocalTerm,
    check_class_weights,
    given_class_weights,
)

CLASSES = ("background", "pet", "border")


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("dice", (DiceTerm(),)),
        ({"type": "focal", "gamma": 1.5}, (FocalTerm(gamma=1.5),)),
        (["cross_entropy", {"type": "dice", "factor": 2}], (CrossEntropyTerm(), DiceTerm(factor=2.0))),
    ],
)
def test_a_name_alone_is_a_term_with_its_defaults(said: object, meant: tuple[object, ...]) -> None:
    config = TrainerConfig.model_validate({"loss": said})
    assert config.loss == meant
    assert TrainerConfig.model_validate_json(config.model_dump_json()) == config


def test_without_a_word_it_is_cross_entropy() -> None:
    assert TrainerConfig().loss == (CrossEntropyTerm(),)


@pytest.mark.parametrize("said", [[], "dise", [{"type": "dice", "gamma": 2}], [{"type": "dice", "factor": 0}], 3])
def test_what_is_no_loss_is_refused(said: object) -> None:
    with pytest.raises(ValidationError):
        TrainerConfig.model_validate({"loss": said})


def test_classes_without_a_given_weight_weigh_one() -> None:
    assert given_class_weights({"border": 3.0}, CLASSES) == (1.0, 1.0, 3.0)
    assert given_class_weights(None, CLASSES) is None


@pytest.mark.parametrize(
    ("weights", "sentence"),
    [
        ({"bordr": 2.0}, "there is no class 'bordr'; did you mean 'border'?"),
        ({"sky": 2.0}, "there is no class 'sky'; there is background, pet, border"),
        (dict.fromkeys(CLASSES, 0.0), "every class weighs 0"),
    ],
)
def test_weights_that_cannot_be_meant_are_refused(weights: dict[str, float], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence.replace("?", r"\?")):
        check_class_weights(weights, (CrossEntropyTerm(),), CLASSES)


def test_weights_that_would_do_nothing_are_refused() -> None:
    check_class_weights({"pet": 2.0}, (DiceTerm(), FocalTerm()), CLASSES)
    with pytest.raises(ValueError, match="does nothing to dice"):
        check_class_weights({"pet": 2.0}, (DiceTerm(),), CLASSES)
