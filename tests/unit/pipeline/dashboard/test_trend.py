"""The chart of a metric over the versions."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest

from pipeline.dashboard.trend import Point, sparkline, trend_chart

SVG = "{http://www.w3.org/2000/svg}"


def parsed(text: str) -> list[ElementTree.Element]:
    """The drawings for wide and for narrow screens."""
    return list(ElementTree.fromstring(f'<div xmlns="http://www.w3.org/2000/svg">{text}</div>'))


@pytest.mark.parametrize(
    "values", [[0.5], [0.5, 0.5], [0.0, 1.0], [0.8123, 0.8124], [1e-9, 2e-9], [n / 500 for n in range(500)]]
)
def test_any_values_make_a_chart_within_its_frame(values: list[float]) -> None:
    charts = parsed(trend_chart([Point(f"v{n}", value) for n, value in enumerate(values)], "Mean IoU"))
    assert len(charts) == 2
    for chart in charts:
        _, _, width, height = map(float, chart.attrib["viewBox"].split())
        for circle in chart.iter(f"{SVG}circle"):
            assert 0 <= float(circle.attrib["cx"]) <= width and 0 <= float(circle.attrib["cy"]) <= height
        labels = [text.text for text in chart.iter(f"{SVG}text") if (text.text or "").startswith("v")]
        assert 1 <= len(labels) <= width / 60 and labels[-1] == f"v{len(values) - 1}"


def test_higher_is_above_and_the_interval_around_it() -> None:
    chart = str(trend_chart([Point("v1", 0.5, 0.4, 0.6), Point("v2", 0.7, kind="served")], "Mean IoU"))
    heights = [float(y) for y in re.findall(r'cy="([0-9.]+)"', chart)]
    assert heights[0] > heights[1] and heights[:2] == heights[2:]
    assert "v1: 0.500 (0.400–0.600)" in chart and 'class="point served"' in chart
    assert "from 0.500 (v1) to 0.700 (v2)" in chart


def test_values_that_are_not_numbers_are_left_out() -> None:
    assert trend_chart([Point("v1", float("nan"))], "x") == ""


def test_labels_are_escaped() -> None:
    assert "<b>" not in str(trend_chart([Point("<b>", 0.5)], "<b>"))


def test_a_sparkline_needs_two_values() -> None:
    assert sparkline([0.5]) == "" and "path" in sparkline([0.5, 0.5])
