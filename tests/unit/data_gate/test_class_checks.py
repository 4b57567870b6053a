"""Classes without a pixel, and the share of void: what stops, what warns, and the line to paste."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from common.records import SPLITS
from components.data_gate.class_checks import check_classes, check_void
from components.data_gate.config import ValidationConfig, check_absent
from components.example_gen.quarantine import IngestionSummary

NOTHING = ValidationConfig()


@pytest.fixture
def lacking(summary: IngestionSummary) -> IngestionSummary:
    """No debris in train, and three images of it in test."""
    pictures = summary.class_pictures | {"train": (120, 120, 0), "eval": (40, 40, 0)}
    pixels = summary.class_pixels | {"train": (900, 90, 0), "eval": (900, 90, 0)}
    return summary.model_copy(update={"class_pictures": pictures, "class_pixels": pixels})


def test_classes_that_occur_everywhere_pass_without_a_warning(summary: IngestionSummary) -> None:
    (finding,) = check_classes(summary, NOTHING)
    assert finding.passed and not finding.warning


def test_a_class_without_a_pixel_in_train_stops_and_is_named_with_the_line_to_paste(lacking: IngestionSummary) -> None:
    (finding,) = check_classes(lacking, NOTHING)
    assert not finding.passed and finding.split == "train" and finding.feature == "mask/classes"
    assert finding.detail == (
        "the class 'debris' has no pixel in train (images with it: 3 in test): add pairs that hold it, take it out of "
        "data.classes, or, if it may be absent, add to `validation:` the line `may_be_absent: [debris]`"
    )


def test_a_class_that_may_be_absent_stops_nothing_and_warns_of_nothing(lacking: IngestionSummary) -> None:
    for allowed in (("debris",), "all"):
        (finding,) = check_classes(lacking, ValidationConfig(may_be_absent=allowed))
        assert finding.passed and not finding.warning and "debris" in finding.detail


def test_a_class_beside_the_allowed_one_stops_all_the_same(summary: IngestionSummary) -> None:
    empty = summary.model_copy(update={"class_pixels": dict.fromkeys(SPLITS, (900, 0, 0))})
    findings = check_classes(empty, ValidationConfig(may_be_absent=("debris",)))
    assert [finding.passed for finding in findings] == [False, True]
    assert "debris" not in findings[0].detail


@pytest.mark.parametrize("split", ["eval", "test"])
def test_a_class_without_a_pixel_in_eval_or_test_is_a_warning(summary: IngestionSummary, split: str) -> None:
    lacking = summary.model_copy(update={"class_pixels": summary.class_pixels | {split: (900, 90, 0)}})
    _, finding = check_classes(lacking, NOTHING)
    assert (finding.passed, finding.warning, finding.split) == (True, True, split)
    assert f"the class 'debris' has no pixel in {split}" in finding.detail


def test_many_absent_classes_are_counted_and_the_first_ones_named(summary: IngestionSummary) -> None:
    names = tuple(f"class-{index:02d}" for index in range(60))
    pixels = dict.fromkeys(SPLITS, (1,) * 60) | {"test": (1,) + (0,) * 59}
    many = summary.model_copy(update={"classes": names, "class_pixels": pixels})
    _, finding = check_classes(many, NOTHING)
    assert "59 classes (class-01, class-02" in finding.detail and "and 51 more" in finding.detail


def test_a_split_without_pairs_is_a_matter_of_its_size_alone(summary: IngestionSummary) -> None:
    empty = summary.model_copy(update={"used": dict.fromkeys(SPLITS, 0), "class_pixels": {}, "class_pictures": {}})
    assert check_classes(empty, NOTHING) == [] and check_void(empty, 0.5) == []


_NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp"]), min_size=1)


@given(st.lists(_NAMES, min_size=1, max_size=5, unique=True))
def test_the_line_to_paste_is_yaml_that_allows_just_these_classes(names: list[str]) -> None:
    count = len(names)
    summary = _summary(classes=tuple(names), class_pixels=dict.fromkeys(SPLITS, (0,) * count), class_pictures={})
    (finding,) = check_classes(summary, NOTHING)
    match = re.search(r"the line `(.*)`$", finding.detail, re.DOTALL)
    assert match
    config = ValidationConfig.model_validate(yaml.safe_load(match[1]))
    assert config.may_be_absent == tuple(names)
    assert all(finding.passed for finding in check_classes(summary, config))


@pytest.mark.parametrize("split", SPLITS)
def test_void_over_the_bound_stops_in_any_split(summary: IngestionSummary, split: str) -> None:
    void = summary.model_copy(update={"void_pixels": summary.void_pixels | {split: 1500}})
    (finding,) = check_void(void, max_void=0.5)
    assert (finding.passed, finding.split) == (False, split)
    assert finding.detail.startswith(f"60.0% of the pixels of {split} are void and do not count, at most 50.0% may be")
    assert check_void(void, max_void=float(re.search(r"max_void: ([\d.]+)", finding.detail)[1]))[0].passed


def test_images_that_are_mostly_void_are_counted_though_the_mean_is_below_the_bound(summary: IngestionSummary) -> None:
    void = summary.model_copy(update={"void_pixels": {"train": 100}, "mostly_void": {"train": 7}})
    (finding,) = check_void(void, max_void=0.5)
    assert finding.passed and finding.warning
    assert "7 of 120 images are void to more than 90%" in finding.detail


def test_a_little_void_is_a_figure_without_a_warning(summary: IngestionSummary) -> None:
    (finding,) = check_void(summary.model_copy(update={"void_pixels": {"train": 10}}), max_void=0.5)
    assert finding.passed and not finding.warning and "1.0% of the pixels of train" in finding.detail


def test_a_name_that_is_not_a_class_is_refused_with_the_likely_one() -> None:
    with pytest.raises(ValueError, match=r"validation.may_be_absent: unknown class 'debri'; did you mean 'debris'\?"):
        check_absent(ValidationConfig(may_be_absent=("debri",)), ("cell", "debris"))


@pytest.mark.parametrize("value", ["debris", 3, None, [1], {"debris": True}])
def test_what_is_not_a_list_of_names_is_refused_in_one_sentence(value: Any) -> None:
    with pytest.raises(ValueError, match="is not a list of class names, such as") as error:
        ValidationConfig(may_be_absent=value)
    assert str(error.value).count("validation error") == 1


def _summary(**changes: Any) -> IngestionSummary:
    settings: dict[str, Any] = {
        "data_fingerprint": "f00d",
        "found": 3,
        "used": dict.fromkeys(SPLITS, 1),
        "quarantined": {},
        "void_pixels": {},
    }
    return IngestionSummary(**settings | changes)
