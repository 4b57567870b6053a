"""What a model card says that nobody wrote."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from components.evaluator.results import Estimate, Evaluation, Measured
from components.example_gen.quarantine import IngestionSummary
from components.pusher.card.facts import Card, make_card
from tests.support.model_card import CONFIG, manifest


@pytest.fixture
def evaluation(evaluate) -> Evaluation:
    """The conftest's evaluation, with the slice of the one place that has test images."""
    judged = evaluate()
    wood = judged.candidate.overall.model_copy(
        update={"column": "place", "value": "wood", "further": {"hd95/ground": Estimate(value=2.0)}}
    )
    measured = Measured(overall=judged.candidate.overall, slices=(wood,))
    return judged.model_copy(update={"candidate": measured, "classes_without_pixels": ("ghost",)})


@pytest.fixture
def card(data: IngestionSummary, evaluation: Evaluation) -> Card:
    return make_card(manifest(), CONFIG, data, evaluation)


def test_without_texts_it_says_what_the_model_does(card: Card) -> None:
    assert card.overview == "Semantic segmentation of images into 2 classes: ground, ghost."
    assert card.architecture == "encoder_unet, encoder mobilenet (random initial weights)"
    assert "overlapping windows of 192 × 128 pixels at its own resolution" in card.input


def test_an_ensemble_says_so(data: IngestionSummary, evaluation: Evaluation) -> None:
    config = {**CONFIG, "data": {"split": {"folds": 3}}, "trainer": {"model": {"type": "unet"}}}
    card = make_card(manifest(), config, data, evaluation)
    assert card.architecture == "average of the probabilities of 3 networks: unet"


@pytest.mark.parametrize(
    ("transform", "bands", "said"),
    [
        (
            {"mode": "resize", "height": 64, "width": 64},
            None,
            "JPEG, PNG, GIF or BMP; an image is resized to 64 × 64",
        ),
        ({"mode": "resize", "height": 64, "width": 64}, {"depth": "uint16"}, "PNG or TIFF of bands (uint16); "),
    ],
)
def test_it_says_what_the_model_takes(
    data: IngestionSummary, evaluation: Evaluation, transform: dict[str, Any], bands: Any, said: str
) -> None:
    config = {**CONFIG, "transform": transform, "data": {"bands": bands}}
    assert make_card(manifest(), config, data, evaluation).input.startswith(said)


def test_the_limits_that_data_and_evaluation_show_follow_those_that_people_know(
    data: IngestionSummary, evaluation: Evaluation
) -> None:
    config = {**CONFIG, "model_card": {"limitations": ["Blind at night."]}}
    assert make_card(manifest(), config, data, evaluation).limitations == (
        "Blind at night.",
        "No test image shows ghost: nothing is known about it.",
        "Fewer than 10 test images show ground (3).",
        "No test image has place moor, which the data holds.",
        "Fewer than 10 test images have place wood (3).",
        "1 of 12 pairs of image and mask was set aside and is in no figure.",
    )


def test_figures_are_those_with_a_value_of_the_whole_first(card: Card) -> None:
    assert [(figure.metric, figure.slice) for figure in card.figures] == [
        *((name, "") for name in ("mean_iou", "mean_dice", "pixel_accuracy", "iou/ground", "dice/ground")),
        *(
            (name, "place=wood")
            for name in ("mean_iou", "mean_dice", "pixel_accuracy", "iou/ground", "dice/ground", "hd95/ground")
        ),
    ]
    assert card.figures[-1].label == "HD95, ground"


def test_an_unknown_text_is_refused(data: IngestionSummary, evaluation: Evaluation) -> None:
    with pytest.raises(ValidationError, match="overveiw"):
        make_card(manifest(), {**CONFIG, "model_card": {"overveiw": "x"}}, data, evaluation)
