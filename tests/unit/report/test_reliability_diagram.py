"""The reliability diagram: bars where accuracy and confidence are, and inside their frame."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.evaluator.results import ConfidenceBin
from components.report import reliability_diagram

DRAWN = (reliability_diagram.accuracy_by_confidence, reliability_diagram.pixels_by_confidence)
shares = st.floats(0, 1)


def bins_of(*figures: tuple[int, float, float]) -> tuple[ConfidenceBin, ...]:
    """Bins of one width with their pixels, accuracy and mean confidence; without pixels they have neither."""
    number = len(figures)
    return tuple(
        ConfidenceBin(
            low=m / number,
            high=(m + 1) / number,
            pixels=pixels,
            accuracy=accuracy if pixels else None,
            confidence=confidence if pixels else None,
        )
        for m, (pixels, accuracy, confidence) in enumerate(figures)
    )


def rects(svg: str, kind: str) -> list[dict[str, float]]:
    """Places and sizes of the bars of a kind."""
    names = ("x", "y", "width", "height")
    found = [each for each in ElementTree.fromstring(svg).iter("rect") if each.get("class") == kind]
    return [{name: float(each.get(name, "nan")) for name in names} for each in found]


@given(st.lists(st.tuples(st.integers(0, 10**9), shares, shares), min_size=1, max_size=60))
def test_bars_stay_inside_their_frame_whatever_the_figures(figures: list[tuple[int, float, float]]) -> None:
    for draw in DRAWN:
        svg = draw(bins_of(*figures))
        assert not re.search(r"nan|inf", svg)
        for bar in (*rects(svg, "value"), *rects(svg, "gap"), *rects(svg, "tooltip")):
            assert 0 <= bar["x"] <= bar["x"] + bar["width"] <= 520 and bar["height"] >= 0
            assert 13.9 <= bar["y"] <= bar["y"] + bar["height"] <= 210.2


def test_an_overconfident_bin_has_its_gap_above_the_bar_and_an_empty_one_has_none() -> None:
    svg = reliability_diagram.accuracy_by_confidence(bins_of((0, 0, 0), (10, 0.4, 0.7)))
    (bar,), (gap,) = rects(svg, "value"), rects(svg, "gap")
    assert gap["y"] + gap["height"] == pytest.approx(bar["y"], abs=0.2) and gap["height"] == pytest.approx(
        0.3 * 196, 0.01
    )
    assert ElementTree.fromstring(svg).find(".//title").text == (  # type: ignore[union-attr]
        "confidence 0.500 to 1.000: 10 pixels, mean confidence 0.700, accuracy 0.400"
    )


def test_an_underconfident_bin_has_its_gap_inside_the_bar() -> None:
    (bar,), (gap,) = (
        rects(reliability_diagram.accuracy_by_confidence(bins_of((10, 0.9, 0.6))), kind) for kind in ("value", "gap")
    )
    assert gap["y"] == bar["y"] and gap["height"] < bar["height"]


def test_small_shares_of_the_pixels_are_seen() -> None:
    low, high = rects(reliability_diagram.pixels_by_confidence(bins_of((1, 0.5, 0.3), (9999, 0.9, 0.9))), "value")
    assert 0 < low["height"] < high["height"] and high["height"] > 190
