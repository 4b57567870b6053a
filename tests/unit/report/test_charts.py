"""Charts: finite, inside their frames, and readable."""

from __future__ import annotations

import itertools
import math
import re
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.report import charts

NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")
any_float = st.floats(allow_nan=True, allow_infinity=True)
values = st.lists(st.none() | any_float, min_size=1, max_size=60).map(tuple)
maybe = st.none() | any_float


def coordinates(svg: str) -> list[float]:
    """Every number among the places and sizes of a chart; fails where one is none."""
    found = []
    for element in ElementTree.fromstring(svg).iter():
        for name, value in element.attrib.items():
            if name in ("x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "width", "height", "d", "fill-opacity"):
                assert "nan" not in value and "inf" not in value
                found += [float(number) for number in NUMBER.findall(value)]
    return found


@given(
    train=values,
    watched=values,
    best=st.none() | st.integers(0, 70),
    ceiling=st.sampled_from([None, 1.0]),
    tuned=st.none() | st.integers(0, 70),
)
def test_curves_stay_inside_their_frame_whatever_the_figures(train, watched, best, ceiling, tuned):
    lines = [charts.Curve("train", train, "train"), charts.Curve("eval", watched, "eval")]
    drawn = charts.curves(lines, best, ceiling, tuned)
    if drawn.startswith("<svg"):
        assert all(math.isfinite(number) and -1 <= number <= 530 for number in coordinates(drawn))


@given(ends=st.lists(st.floats(0, 1), min_size=2, max_size=10))
def test_names_at_the_ends_of_curves_neither_overlap_nor_reach_the_epochs_axis(ends):
    lines = [charts.Curve(f"fold {place}", (0.5, end), "eval") for place, end in enumerate(ends)]
    labels = [each for each in ElementTree.fromstring(charts.curves(lines)).iter() if "label" in each.get("class", "")]
    places = sorted(float(label.get("y", "nan")) for label in labels)
    assert len(places) == len(ends)
    assert all(below - above >= 16.8 for above, below in itertools.pairwise(places))
    assert places[-1] <= 216


@given(value=maybe, low=maybe, high=maybe, reference=maybe)
def test_bars_and_gauges_stay_inside_their_column(value, low, high, reference):
    for drawn in (charts.bar(value, low, high, reference), charts.gauge(value, low, high, reference)):
        assert all(0 <= number <= 100 for number in coordinates(drawn))


@given(change=maybe, extent=st.floats(0, 1))
def test_differences_start_in_the_middle(change, extent):
    drawn = charts.difference(change, extent)
    assert all(0 <= number <= 100 for number in coordinates(drawn))


@given(shares=st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_shares_keep_their_order_on_the_strip(shares):
    scale = charts.ShareScale.for_shares(shares)
    places = [scale.place(share) for share in sorted(shares)]
    assert places == sorted(places)
    assert all(0 <= place <= 1 for place in places)
    drawn = charts.share_dots([("train", share) for share in shares], scale)
    assert all(-10 <= number <= 100 for number in coordinates(drawn))


@given(low=st.floats(-1e6, 0), high=st.floats(0, 1e6), ceiling=st.sampled_from([None, 1.0]))
def test_ticks_rise_evenly_and_cover_what_is_shown(low, high, ceiling):
    ticks = charts.nice_ticks(low, high, ceiling)
    assert 2 <= len(ticks) <= 12
    assert all(a < b for a, b in itertools.pairwise(ticks))
    if ceiling is None:
        tolerance = 1e-6 * max(1.0, high - low)
        assert ticks[0] <= low + tolerance and ticks[-1] >= high - tolerance


def test_ticks_are_round():
    assert charts.nice_ticks(0.0, 1.13) == [0.0, 0.25, 0.5, 0.75, 1.0, 1.25]
    assert charts.nice_ticks(0.0, 0.97, ceiling=1.0)[-1] == 1.0


def test_one_epoch_is_a_dot():
    assert charts.curves([charts.Curve("eval", (0.5,), "eval")], best=1).count("<circle") == 1


def test_curves_without_a_figure_say_so():
    assert "No figures" in charts.curves([charts.Curve("eval", (None, math.nan), "eval")])


def test_a_gap_in_a_curve_is_bridged():
    drawn = charts.curves([charts.Curve("eval", (0.1, None, 0.3), "eval")])
    assert drawn.count("<circle") == 2 and len(re.findall(r"[ML]\d", drawn)) == 2


def test_small_shares_call_for_a_logarithmic_strip():
    assert not charts.ShareScale.for_shares([0.7, 0.3, 0.0]).logarithmic
    scale = charts.ShareScale.for_shares([0.99, 0.004])
    assert scale.lowest == 0.001 and scale.place(0.001) == 0 and scale.place(1.0) == 1


def test_a_matrix_names_its_cells_and_leaves_absent_classes_empty():
    drawn = charts.heat_map(["a<b", "c"], [[0.25, 0.75], [None, None]])
    titles = [e.text for e in ElementTree.fromstring(drawn).iter("title")]
    assert "a<b taken for c: 75\u202f%" in titles
    assert coordinates(drawn)


def test_void_is_hatched_at_the_end_of_a_stacked_bar():
    drawn = charts.stacked([30.0, 10.0], void=10.0)
    assert drawn.index("60.000%") < drawn.index("void")
    assert coordinates(drawn)


def test_a_name_without_end_is_cut():
    assert charts.shorten("a very long name", 6) == "a ver…"


@pytest.mark.parametrize(("tuned", "marked"), [(None, 0), (1, 0), (2, 1), (4, 1), (5, 0)])
def test_the_epoch_from_which_the_encoder_is_trained_is_marked_if_it_was_reached(tuned, marked):
    drawn = charts.curves([charts.Curve("eval", (0.5, 0.6, 0.7, 0.8), "eval")], 4, fine_tuned_from=tuned)
    assert drawn.count("encoder trained") == marked
