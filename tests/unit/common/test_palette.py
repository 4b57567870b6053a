"""Colours of classes: stable, distinct, and the same wherever a mask is drawn."""

from __future__ import annotations

import numpy as np
import pytest

from common import palette
from common.records import MAX_CLASSES, VOID


def smallest_distance(colours: np.ndarray) -> float:
    """The least Euclidean distance between two colours, in steps of 0…255."""
    steps = colours.astype(float)
    between = np.linalg.norm(steps[:, None] - steps[None], axis=2)
    return float(between[np.triu_indices(len(steps), 1)].min())


@pytest.mark.parametrize(("classes", "least"), [(2, 100), (12, 55), (59, 30), (255, 10)])
def test_colours_can_be_told_apart(classes, least):
    assert smallest_distance(palette.class_colours(classes)) >= least


def test_a_class_keeps_its_colour_however_many_there_are():
    np.testing.assert_array_equal(palette.class_colours(59)[:7], palette.class_colours(7))


def test_the_text_form_is_the_same_colour():
    assert palette.hex_colour(0) == "#323c4a"
    assert palette.hex_colour(200) == "#" + bytes(palette.class_colours(255)[200]).hex()


def test_the_palette_cannot_be_spoilt_by_a_caller():
    palette.class_colours(3)[:] = 0
    assert palette.class_colours(3).any()


def test_more_classes_than_an_index_holds_are_refused():
    with pytest.raises(ValueError, match="0 to 255"):
        palette.class_colours(MAX_CLASSES + 1)


def test_void_is_hatched_in_two_greys():
    colours = np.unique(palette.colourise(np.full((16, 16), VOID, np.uint8)).reshape(-1, 3), axis=0)
    assert len(colours) == 2 and all(len(set(colour)) == 1 for colour in colours.tolist())


def test_an_overlay_mixes_image_and_colour():
    image_HWC = np.full((4, 4, 3), 200, np.uint8)
    mask_HW = np.ones((4, 4), np.uint8)
    colour = palette.class_colours(2)[1].astype(float)
    np.testing.assert_array_equal(palette.overlay(image_HWC, mask_HW, 0.25)[0, 0], np.rint(150 + 0.25 * colour))
    np.testing.assert_array_equal(palette.overlay(image_HWC, mask_HW, 0.0), image_HWC)


def test_an_overlay_of_another_size_is_refused():
    with pytest.raises(ValueError, match="image and mask must have the same size"):
        palette.overlay(np.zeros((4, 4, 3), np.uint8), np.zeros((2, 4), np.uint8))
