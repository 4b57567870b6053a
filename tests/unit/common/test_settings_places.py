"""A place in the configuration is written in one way, and is read as it is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.settings_places import Part, parse_place, place_text


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        (("evaluator", "thresholds", 0, "metric"), "evaluator.thresholds[0].metric"),
        (("trainer", "loss", 1), "trainer.loss[1]"),
        (("labels", "classes", "0"), "labels.classes.0"),
        (("node_selector", "nvidia.com/gpu"), 'node_selector["nvidia.com/gpu"]'),
        (("a b", "ü"), '["a b"].ü'),
    ],
)
def test_a_place_is_written_and_read(parts: tuple[Part, ...], text: str) -> None:
    assert place_text(parts) == text
    assert parse_place(f"{text}=5") == (parts, "=5")


@given(st.text(), st.lists(st.text() | st.integers(0, 99)))
def test_whatever_is_written_is_read_again(first: str, more: list[str | int]) -> None:
    assert parse_place(place_text((first, *more)) + "=x") == ((first, *more), "=x")


@pytest.mark.parametrize("text", ["", "=3", ".a", "[x]"])
def test_what_begins_with_no_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="does not begin with a key"):
        parse_place(text)
