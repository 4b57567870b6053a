from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from common.records import VOID
from components.example_gen.config import ColourLabels, IndexLabels, ThresholdLabels, ValueLabels
from components.example_gen.label_map import label_map
from components.example_gen.quarantine import Reason
from components.example_gen.rejection import RejectionError

NAMES = ("a", "b", "c")
SHAPE = arrays.array_shapes(min_dims=2, max_dims=2, max_side=8)
COLOURS = st.integers(0, 0xFFFFFF)


def meanings(keys: st.SearchStrategy[int]) -> st.SearchStrategy[dict[int, str]]:
    return st.dictionaries(keys, st.sampled_from(NAMES), min_size=1, max_size=5)


@settings(deadline=None)
@given(st.data(), meanings(st.integers(-5, 300)), st.sets(st.integers(0, 300), max_size=3), st.booleans())
def test_values_are_mapped_as_a_loop_over_pixels_would(
    data: st.DataObject, classes: dict[int, str], void: set[int], forgiving: bool
) -> None:
    dtype = data.draw(st.sampled_from([np.uint8, np.uint16, np.int32, np.float32]))
    values = st.sampled_from([v for v in sorted({*classes, *void, 0, 7}) if 0 <= v <= 255])
    samples = data.draw(arrays.arrays(dtype, SHAPE, elements=values))
    labels = ValueLabels(classes=classes, void=tuple(void), unknown="void" if forgiving else "quarantine")
    expected = np.zeros(samples.shape, np.uint8)
    unknown = False
    for place, value in np.ndenumerate(samples):
        if int(value) in void:
            expected[place] = VOID
        elif int(value) in classes:
            expected[place] = NAMES.index(classes[int(value)])
        else:
            unknown, expected[place] = True, VOID
    if unknown and not forgiving:
        with pytest.raises(RejectionError):
            label_map(labels, NAMES).read(samples)
    else:
        np.testing.assert_array_equal(label_map(labels, NAMES).read(samples).mask_HW, expected)


@settings(deadline=None)
@given(st.data(), meanings(COLOURS))
def test_colours_are_mapped_as_a_loop_over_pixels_would(data: st.DataObject, classes: dict[int, str]) -> None:
    packed = data.draw(arrays.arrays(np.uint32, SHAPE, elements=st.sampled_from([*classes])))
    rgb = np.stack([packed >> 16 & 255, packed >> 8 & 255, packed & 255], axis=-1).astype(np.uint8)
    labels = ColourLabels(classes={f"#{colour:06x}": name for colour, name in classes.items()})
    expected = [[NAMES.index(classes[int(colour)]) for colour in row] for row in packed]
    np.testing.assert_array_equal(label_map(labels, NAMES).read(rgb).mask_HW, expected)


@settings(deadline=None)
@given(arrays.arrays(np.uint8, SHAPE), st.integers(1, 255))
def test_a_threshold_makes_two_classes(samples: np.ndarray, at: int) -> None:
    if at > 1 and samples.max() == 1:
        return
    mask = label_map(ThresholdLabels(at=at), NAMES[:2]).read(samples).mask_HW
    np.testing.assert_array_equal(mask, [[int(value >= at) for value in row] for row in samples.tolist()])


def test_an_offset_is_taken_off_trimaps() -> None:
    mask = label_map(IndexLabels(offset=1), NAMES).read(np.array([[1, 2, 3, 255]], np.uint8)).mask_HW
    assert mask.tolist() == [[0, 1, 2, VOID]]


def test_a_void_value_is_void_even_if_it_is_a_class_index() -> None:
    mask = label_map(IndexLabels(void=(2,)), NAMES).read(np.array([[0, 1, 2]], np.uint8)).mask_HW
    assert mask.tolist() == [[0, 1, VOID]]


def test_unknown_values_are_named_with_their_pixels() -> None:
    with pytest.raises(RejectionError) as caught:
        label_map(IndexLabels(), NAMES).read(np.array([[0, 7, 7, 9]], np.uint8))
    assert caught.value.reason is Reason.UNKNOWN_LABEL
    assert caught.value.detail == "the mask holds values that no label names: 7 (2 pixels), 9 (1 pixel)"


def test_of_many_unknown_values_some_are_named() -> None:
    with pytest.raises(RejectionError, match=r"8 \(1 pixel\) and 247 more"):
        label_map(IndexLabels(void=()), NAMES).read(np.arange(256, dtype=np.uint8).reshape(16, 16))


def test_unknown_colours_are_named_as_they_are_written() -> None:
    labels = ColourLabels(classes={"#000000": "a"}, void=("#ffffff",))
    with pytest.raises(RejectionError, match=r"colour that no label names: #0a0b0c \(1 pixel\)"):
        label_map(labels, NAMES).read(np.array([[[0, 0, 0], [255, 255, 255], [10, 11, 12]]], np.uint8))


def test_values_that_are_no_integers_are_unknown() -> None:
    with pytest.raises(RejectionError, match=r"0\.5 \(1 pixel\), nan \(1 pixel\)"):
        label_map(IndexLabels(), NAMES).read(np.array([[0.0, 0.5, np.nan, 1.0]], np.float32))


def test_wide_integers_are_looked_up_too() -> None:
    labels = ValueLabels(classes={-1: "a", 100_000: "b"})
    assert label_map(labels, NAMES).read(np.array([[-1, 100_000]], np.int32)).mask_HW.tolist() == [[0, 1]]


def test_a_mask_of_zeros_and_ones_under_a_threshold_is_refused() -> None:
    with pytest.raises(RejectionError, match="holds 0 and 1 only"):
        label_map(ThresholdLabels(), NAMES[:2]).read(np.array([[0, 1]], np.uint8))


def test_an_empty_grey_mask_is_background() -> None:
    assert label_map(ThresholdLabels(), NAMES[:2]).read(np.zeros((1, 2), np.uint8)).mask_HW.tolist() == [[0, 0]]
