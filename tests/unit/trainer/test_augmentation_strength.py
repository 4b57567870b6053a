"""Weaker and stronger augmentation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.trainer.augmentation.config import Augmentation
from components.trainer.augmentation.strength import with_strength

ALL = Augmentation.model_validate(
    {name: {} for name, field in Augmentation.model_fields.items() if field.default is None}
    | {"flip_horizontal": 0.5, "flip_vertical": 0.4, "quarter_turns": 0.8}
)
NONE = Augmentation(flip_horizontal=0)


def test_one_is_as_configured() -> None:
    scaled, configured = with_strength(ALL, 1).model_dump(), ALL.model_dump()
    assert flat(scaled) == pytest.approx(flat(configured))


def test_zero_is_none() -> None:
    assert with_strength(ALL, 0) == NONE


def test_nothing_stays_nothing() -> None:
    assert with_strength(NONE, 2) == NONE


def test_half_has_half_the_ranges_and_half_the_mirrors() -> None:
    half = with_strength(ALL, 0.5)
    assert half.rotate and half.crop and half.hue and half.cutout and half.central_crop
    assert half.rotate.degrees == 7.5
    assert half.hue.range == 0.025
    assert half.crop.scale == (0.75, 1.0)
    assert half.crop.ratio == pytest.approx((0.75**0.5, 1.33**0.5))
    assert half.central_crop.side == pytest.approx((0.85, 1.0))
    assert half.cutout.side == pytest.approx((0.05, 0.15))
    assert (half.flip_horizontal, half.flip_vertical, half.quarter_turns) == (0.25, 0.2, 0.4)


def test_double_has_twice_the_ranges_and_as_many_mirrors() -> None:
    double = with_strength(ALL, 2)
    assert double.rotate and double.brightness
    assert double.rotate.degrees == 30
    assert double.brightness.range == 0.4
    assert double.flip_horizontal == 0.5


def test_how_often_stays_as_it_is() -> None:
    for strength in (0.5, 2):
        scaled = with_strength(ALL, strength)
        assert scaled.rotate and ALL.rotate
        assert scaled.rotate.probability == ALL.rotate.probability


@given(st.floats(0, 4))
def test_every_strength_gives_what_the_configuration_takes(strength: float) -> None:
    scaled = with_strength(ALL, strength)
    assert Augmentation.model_validate(scaled.model_dump()) == scaled


def flat(value: object) -> list[float]:
    if isinstance(value, dict):
        return [number for item in value.values() for number in flat(item)]
    if isinstance(value, tuple):
        return [number for item in value for number in flat(item)]
    return [float(value)]  # type: ignore[arg-type]
