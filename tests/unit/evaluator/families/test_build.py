"""Several families as one, and their names."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from components.evaluator.config import EvaluatorConfig, Threshold
from components.evaluator.families.build import Families
from components.evaluator.families.names import metric_names

CLASSES = ("ground", "roof", "tree")
ALL = EvaluatorConfig.model_validate({"metrics": ["boundary", "surface", {"type": "objects", "classes": ["tree"]}]})


def test_names_are_those_of_the_values() -> None:
    families = Families(ALL.metrics, CLASSES)
    names = metric_names(ALL.metrics, CLASSES)
    assert set(families.values(np.zeros(families.size))) == set(names)
    assert "panoptic_quality/tree" in names and "panoptic_quality/roof" not in names and "hd95/ground" in names


def test_sums_of_replicates_give_values_of_replicates() -> None:
    families = Families(ALL.metrics, CLASSES)
    truth = np.random.default_rng(1).integers(0, 3, (12, 12)).astype(np.uint8)
    counts = families.count(truth, np.roll(truth, 1))
    of_replicates = families.values(np.stack([counts, 3 * counts]))
    for name, value in families.values(counts).items():
        np.testing.assert_allclose(of_replicates[name], [value, value])


def test_no_family_counts_nothing() -> None:
    families = Families((), CLASSES)
    mask = np.zeros((3, 3), np.uint8)
    assert families.size == 0 and families.count(mask, mask).shape == (0,) and not families.values(np.zeros(0))


@pytest.mark.parametrize(
    ("threshold", "sentence"),
    [
        ({"metric": "hd95/roof", "at_least": 0.5}, "better if it is lower: give at_most alone"),
        ({"metric": "hd95/roof"}, "give at_most alone"),
        ({"metric": "iou/roof", "at_most": 0.5}, "at_most is for distances"),
        ({"metric": "boundary_iou/roof", "better_than_constant": True}, "is not computed: give at_least"),
    ],
)
def test_a_threshold_that_makes_no_sense_is_refused(threshold: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        Threshold.model_validate(threshold)
