"""Several families as one, and their names."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from common.signatures import CONFIDENCE_BINS
from components.evaluator.config import EvaluatorConfig, Threshold
from components.evaluator.families.build import Families
from components.evaluator.families.names import metric_names, needed_outputs

CLASSES = ("ground", "roof", "tree")
ALL = EvaluatorConfig.model_validate(
    {"metrics": ["boundary", "surface", {"type": "objects", "classes": ["tree"]}, {"type": "calibration", "bins": 5}]}
)


def test_names_are_those_of_the_values() -> None:
    families = Families(ALL.metrics, CLASSES)
    names = metric_names(ALL.metrics, CLASSES)
    assert set(families.values(np.zeros(families.size))) == set(names)
    assert "panoptic_quality/tree" in names and "panoptic_quality/roof" not in names and "hd95/ground" in names
    assert "ece" in names and "ece/roof" in names and "mce/roof" not in names


def test_sums_of_replicates_give_values_of_replicates() -> None:
    families = Families(ALL.metrics, CLASSES)
    truth = np.random.default_rng(1).integers(0, 3, (12, 12)).astype(np.uint8)
    reliability_CMR = np.random.default_rng(2).random([3, CONFIDENCE_BINS, 4])
    counts = families.count(truth, np.roll(truth, 1), reliability_CMR)
    of_replicates = families.values(np.stack([counts, 3 * counts]))
    for name, value in families.values(counts).items():
        np.testing.assert_allclose(of_replicates[name], [value, value])


def test_no_family_counts_nothing() -> None:
    families = Families((), CLASSES)
    mask = np.zeros((3, 3), np.uint8)
    assert families.size == 0 and families.count(mask, mask).shape == (0,) and not families.values(np.zeros(0))
    assert families.reliability(np.zeros(0)).size == 0


@pytest.mark.parametrize(
    ("metrics", "outputs"),
    [
        ([], ()),
        (["surface", "objects"], ("mask_bytes",)),
        (["calibration"], ("reliability",)),
        (["boundary", "calibration"], ("mask_bytes", "reliability")),
    ],
)
def test_a_model_must_give_what_the_families_count_from(metrics: list[str], outputs: tuple[str, ...]) -> None:
    assert needed_outputs(EvaluatorConfig.model_validate({"metrics": metrics}).metrics) == outputs


@pytest.mark.parametrize(
    ("threshold", "sentence"),
    [
        ({"metric": "hd95/roof", "at_least": 0.5}, "better if it is lower: give at_most alone"),
        ({"metric": "ece", "may_drop": 0.1}, "better if it is lower: give at_most alone"),
        ({"metric": "hd95/roof"}, "give at_most alone"),
        ({"metric": "iou/roof", "at_most": 0.5}, "at_most is for what is better if it is lower"),
        ({"metric": "boundary_iou/roof", "better_than_constant": True}, "is not computed: give at_least"),
    ],
)
def test_a_threshold_that_makes_no_sense_is_refused(threshold: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        Threshold.model_validate(threshold)
