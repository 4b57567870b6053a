from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from components.example_gen.config import ColourLabels, IndexLabels
from components.example_gen.label_counts import LabelCounts, MaskFacts
from components.example_gen.mask_samples import PaletteUse

NAMES = ("a", "b")
COUNTS = st.dictionaries(st.integers(0, 80).map(str), st.integers(1, 9), max_size=40)
PALETTES = st.none() | st.builds(
    PaletteUse, st.booleans(), st.dictionaries(st.integers(0, 3), st.integers(0, 2), max_size=4)
)


@st.composite
def masks(draw: st.DrawFn) -> list[MaskFacts]:
    paths = draw(st.permutations(range(draw(st.integers(1, 8)))))
    return [
        MaskFacts(
            f"masks/{path}.png",
            {"0": draw(st.integers(1, 9))},
            dict(sorted(draw(COUNTS).items(), key=lambda item: int(item[0]))[:32]),
            draw(st.integers(0, 9)),
            draw(PALETTES),
            draw(st.integers(1, 2)),
            draw(st.booleans()),
        )
        for path in paths
    ]


def tallied(facts: list[MaskFacts]) -> LabelCounts:
    counts = LabelCounts()
    for mask in facts:
        counts.add(mask)
    return counts


@settings(deadline=None)
@given(masks(), st.integers(0, 8))
def test_the_account_does_not_depend_on_order_or_grouping(facts: list[MaskFacts], cut: int) -> None:
    labels = IndexLabels(unknown="void")
    whole = tallied(sorted(facts, key=lambda mask: mask.path)).summary(labels, NAMES, [])
    parts = tallied(facts[cut:])
    parts.merge(tallied(facts[:cut]))
    assert parts.summary(labels, NAMES, []) == whole
    assert len(whole.unknown) <= 32


def test_of_an_index_with_many_colours_the_two_of_the_first_masks_are_told() -> None:
    facts = [
        MaskFacts(f"{path}.gif", {}, {}, 0, PaletteUse(True, {5: colour}), 1, False)
        for path, colour in (("c", 3), ("b", 2), ("a", 1), ("d", 1))
    ]
    [conflict] = tallied(facts).summary(IndexLabels(), NAMES, []).palettes
    assert (conflict.first, conflict.second, conflict.index) == ("a.gif", "b.gif", 5)
    assert conflict.colours == ("#000001", "#000002")


def test_colours_are_told_with_their_classes() -> None:
    labels = ColourLabels(classes={"#FF0000": "a", "#00ff00": "b"}, void=("#ffffff",))
    facts = MaskFacts("a", {"#ff0000": 3, "#ffffff": 2}, {}, 0, None, 1, True)
    values = tallied([facts]).summary(labels, NAMES, []).values
    assert [(value.value, value.class_name, value.pixels) for value in values] == [
        ("#ff0000", "a", 3),
        ("#ffffff", None, 2),
    ]
