"""What of a window is compared, and what is said where it cannot be."""

from __future__ import annotations

import dataclasses
import datetime

import numpy as np
import pytest

from components.evaluator.reference import ReferenceDistribution, most_images
from pipeline.monitor.judging import Window, judge
from pipeline.monitor.settings import MonitorSettings, parse_window
from serving.request_log.rows import LoggedImage

NOW = datetime.datetime(2026, 11, 27, tzinfo=datetime.timezone.utc)
SETTINGS = MonitorSettings(least_images=10)


def reference(images: int = 60) -> ReferenceDistribution:
    values = tuple(np.linspace(0, 1, images).tolist())
    return ReferenceDistribution(
        split="test",
        images_in_split=images,
        class_fractions={"ground": values, "roof": values[::-1]},
        mean_confidence=values,
        brightness=values,
        contrast=values,
        height=(480,) * images,
        width=(640,) * images,
    )


def row(place: float, **changes: object) -> LoggedImage:
    same = LoggedImage(
        time=NOW,
        version=1,
        status="OK",
        height=480,
        width=640,
        class_fractions={"ground": place, "roof": 1 - place},
        mean_confidence=place,
        brightness=place,
        contrast=place,
    )
    return dataclasses.replace(same, **changes)  # type: ignore[arg-type]


def window(*rows: LoggedImage) -> Window:
    return Window(1, NOW, NOW, rows)


ALIKE = [row(place) for place in np.linspace(0, 1, 50).tolist()]


def test_a_window_like_the_reference_has_not_drifted() -> None:
    result = judge(window(*ALIKE), reference(), SETTINGS)
    assert (result.state, result.images, result.untested) == ("no drift", 50, ())
    assert {feature.name for feature in result.features} == {
        "class_fraction/ground",
        "class_fraction/roof",
        "mean_confidence",
        "brightness",
        "contrast",
        "height",
        "width",
    }


def test_the_sentence_names_what_drifted_with_both_medians() -> None:
    darker = [dataclasses.replace(each, brightness=(each.brightness or 0) / 4) for each in ALIKE]
    result = judge(window(*darker), reference(), SETTINGS)
    assert result.state == "drift"
    assert result.detail.startswith("drifted: brightness (median 0.5 → 0.125, distance 0.7")
    assert [feature.name for feature in result.drifted] == ["brightness"]


def test_equal_images_count_once_and_refused_ones_are_only_counted() -> None:
    repeated = [dataclasses.replace(ALIKE[0], digest="a")] * 5
    refused = [row(0, status="INVALID_ARGUMENT", class_fractions=None)] * 3
    result = judge(window(*ALIKE, *repeated, *refused), reference(), SETTINGS)
    assert (result.images, result.repeated, result.refused) == (51, 4, 3)


def test_a_feature_that_the_log_does_not_know_is_not_tested_and_named() -> None:
    unknown = [dataclasses.replace(each, brightness=None) for each in ALIKE]
    partly = [dataclasses.replace(each, contrast=None) for each in unknown[:5]] + unknown[5:]
    result = judge(window(*partly), reference(), SETTINGS)
    assert result.untested == ("brightness",)
    assert {feature.name: feature.unknown for feature in result.features}["contrast"] == 5


def test_a_log_that_knows_no_feature_is_not_judged() -> None:
    result = judge(window(*[LoggedImage(time=NOW, version=1)] * 50), reference(), SETTINGS)
    assert (result.state, len(result.untested)) == ("too few images", 7)
    assert result.detail == "no feature is known of 10 images: see what the log does not say"


def test_too_few_images_are_not_judged() -> None:
    result = judge(window(*ALIKE[:9]), reference(), SETTINGS)
    assert (result.state, result.is_judged) == ("too few images", False)
    assert result.detail == "9 different images were answered, and 10 are needed"


def test_a_version_without_a_reference_is_named_with_the_remedy() -> None:
    result = judge(window(*ALIKE), None, SETTINGS)
    assert result.state == "no reference"
    assert result.detail.startswith("version 1 has no reference distribution: run the pipeline once more")


def test_a_value_that_all_images_have_does_not_differ_by_its_precision() -> None:
    same = [dataclasses.replace(each, contrast=float(np.float32(0.1))) for each in ALIKE]
    before = reference().model_copy(update={"contrast": (0.1,) * 60})
    assert judge(window(*same), before, SETTINGS).state == "no drift"


@pytest.mark.parametrize(
    ("text", "seconds", "images"),
    [("1h", 3600, None), ("15m", 900, None), ("2 d", 172800, None), ("500", None, 500), ("500 requests", None, 500)],
)
def test_windows_are_a_time_or_a_number(text: str, seconds: int | None, images: int | None) -> None:
    assert parse_window(text) == (seconds, images)


@pytest.mark.parametrize("text", ["", "0", "0h", "soon", "-5", "1.5h", "5 weeks"])
def test_other_windows_are_refused(text: str) -> None:
    with pytest.raises(Exception, match=r"--window .* is not a window: give a time, such as 1h or 15m, or a number"):
        parse_window(text)


def test_a_reference_has_a_value_for_each_image() -> None:
    with pytest.raises(ValueError, match="brightness has not as many values as there are images"):
        ReferenceDistribution.model_validate(reference().model_dump() | {"brightness": (0.5,)})


@pytest.mark.parametrize("classes", [2, 21, 254])
def test_a_reference_has_at_most_100_kb(classes: int) -> None:
    images = most_images(classes, 500)
    values = tuple(round(value, 4) for value in np.random.default_rng(0).random(images))
    found = ReferenceDistribution(
        split="test",
        images_in_split=images,
        class_fractions={f"class {number}": values for number in range(classes)},
        mean_confidence=values,
        brightness=values,
        contrast=values,
        height=(1080,) * images,
        width=(1920,) * images,
    )
    assert len(found.model_dump_json()) <= 105_000
    assert images >= 40
