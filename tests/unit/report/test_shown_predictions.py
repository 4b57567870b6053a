"""Choosing and drawing predictions."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from common import palette
from common.records import VOID
from components.evaluator import counts
from components.report import shown_predictions


def decoded(uri: str) -> np.ndarray:
    image = Image.open(io.BytesIO(base64.b64decode(uri.split(",", 1)[1])))
    return np.asarray(image.convert("RGBA" if "transparency" in image.info else "RGB"))


def scored(index: int, value: float, trivial: bool = False) -> shown_predictions.Scored:
    return shown_predictions.Scored(index, value, trivial, np.eye(2, dtype=np.int64))


def test_a_score_is_the_mean_iou_of_the_classes_that_occur():
    found = shown_predictions.score(3, np.array([[8, 2, 0], [0, 10, 0], [0, 0, 0]]))
    assert found is not None and not found.trivial
    assert found.score == pytest.approx((8 / 10 + 10 / 12) / 2)


def test_a_stray_pixel_of_a_foreign_class_does_not_make_a_picture_one_of_the_worst():
    found = shown_predictions.score(0, np.array([[500, 0, 1], [0, 499, 0], [0, 0, 0]]))
    assert found is not None and found.score > 0.99


def test_an_object_seen_where_there_is_none_does():
    found = shown_predictions.score(0, np.array([[980, 20], [0, 0]]))
    assert found is not None and found.trivial and found.score == pytest.approx(0.49)


def test_a_picture_of_void_alone_has_no_score():
    assert shown_predictions.score(0, np.zeros((2, 2), np.int64)) is None


def test_best_and_worst_come_in_order():
    best, worst = shown_predictions.choose([scored(i, i / 10) for i in range(8)], best=2, worst=3)
    assert [s.index for s in best] == [7, 6]
    assert [s.index for s in worst] == [0, 1, 2]


def test_an_empty_picture_is_not_what_the_model_does_best():
    best, _ = shown_predictions.choose([scored(0, 1.0, trivial=True), scored(1, 0.9), scored(2, 0.2)], best=1, worst=1)
    assert [s.index for s in best] == [1]


@given(number=st.integers(0, 12), best=st.integers(0, 6), worst=st.integers(0, 6))
def test_no_picture_is_shown_twice(number, best, worst):
    chosen = shown_predictions.choose([scored(i, (i * 7 % 5) / 5) for i in range(number)], best, worst)
    shown = [s.index for part in chosen for s in part]
    assert len(shown) == len(set(shown)) == min(number, best + worst) and set(shown) <= set(range(number))


@given(width=st.integers(1, 5000), height=st.integers(1, 5000), side=st.integers(32, 1024))
def test_thumbnails_keep_the_aspect_and_never_grow(width, height, side):
    small = shown_predictions.thumbnail_size(width, height, side)
    assert 1 <= small[0] <= width and 1 <= small[1] <= height and max(small) <= side
    assert abs(small[0] * height - small[1] * width) <= max(width, height)


def test_a_drawn_mask_keeps_its_colours_and_hatches_void(png):
    truth_HW = np.zeros((40, 60), np.uint8)
    truth_HW[:, 20:40], truth_HW[:, 40:] = 1, VOID
    prediction_HW = np.where(truth_HW == VOID, 0, truth_HW)
    found = shown_predictions.score(0, counts.confusion_counts(truth_HW, prediction_HW, 2))
    image = np.full((40, 60, 4), 200)
    drawn = shown_predictions.draw("a", {}, found, png(image), png(truth_HW), png(prediction_HW), 30, 50_000)
    assert decoded(drawn.image).shape == (20, 30, 3) and (drawn.width, drawn.height) == (60, 40)
    truth = decoded(drawn.truth)
    assert truth[10, 5].tolist() == palette.class_colours(2)[0].tolist()
    assert truth[10, 15].tolist() == palette.class_colours(2)[1].tolist()
    assert len(np.unique(truth[:, 20:].reshape(-1, 3), axis=0)) == 2
    assert drawn.class_iou == ((0, 1.0), (1, 1.0))


def test_only_wrong_pixels_are_marked_and_void_is_never_wrong():
    truth_HW = np.zeros((10, 30), np.uint8)
    truth_HW[:, 20:] = VOID
    prediction_HW = np.zeros_like(truth_HW)
    prediction_HW[:, 10:] = 1
    marked = decoded(shown_predictions.wrong_pixels(truth_HW, prediction_HW, (30, 10)))
    assert (marked[:, 10:20] == (*palette.WRONG, 255)).all()
    assert (marked[:, :10, 3] == 0).all() and (marked[:, 20:, 3] == 0).all()


def test_a_pixel_of_the_page_that_is_wrong_in_part_is_marked_in_part():
    truth_HW = np.zeros((4, 4), np.uint8)
    prediction_HW = truth_HW.copy()
    prediction_HW[:, 0] = 1
    marked = decoded(shown_predictions.wrong_pixels(truth_HW, prediction_HW, (2, 2)))
    assert 0 < marked[0, 0, 3] < 255 and marked[0, 1, 3] == 0


def test_an_image_with_too_many_bytes_is_stored_smaller(png):
    noise = np.random.default_rng(0).integers(0, 255, (256, 256, 3))
    mask_HW = np.random.default_rng(1).integers(0, 200, (256, 256))
    found = scored(0, 0.5)
    drawn = shown_predictions.draw("a", {}, found, png(noise), png(mask_HW), png(mask_HW), 256, 40_000)
    assert len(drawn.image + drawn.truth + drawn.prediction + drawn.errors) <= 40_000
    assert drawn.shown_width == drawn.shown_height == decoded(drawn.truth).shape[0] < 256
    assert (drawn.width, drawn.height) == (256, 256)


def with_confusion(index: int, *cells: int) -> shown_predictions.Scored:
    return shown_predictions.Scored(index, 0.5, False, np.array(cells).reshape(2, 2))


def test_the_worst_images_of_a_class_are_those_with_its_lowest_iou():
    images = [with_confusion(0, 90, 0, 5, 5), with_confusion(1, 80, 20, 0, 0), with_confusion(2, 50, 0, 50, 0)]
    found = shown_predictions.worst_by_class(images, number=2, most_images=60)
    assert list(found) == [1, 0]
    assert [(each.scored.index, each.iou) for each in found[1]] == [(2, 0.0), (1, 0.0)]
    assert [each.scored.index for each in found[0]] == [2, 1]


def test_an_image_without_the_class_is_not_one_of_its_worst():
    found = shown_predictions.worst_by_class([with_confusion(0, 9, 0, 0, 0), with_confusion(1, 5, 0, 2, 2)], 5, 60)
    assert [each.scored.index for each in found[1]] == [1]


def test_of_many_classes_those_with_the_lowest_iou_are_shown():
    assert list(shown_predictions.worst_by_class([with_confusion(0, 90, 0, 5, 5)], number=1, most_images=1)) == [1]
    assert shown_predictions.worst_by_class([with_confusion(0, 90, 0, 5, 5)], number=0, most_images=1) == {}
    assert shown_predictions.worst_by_class([], number=2, most_images=10) == {}


def test_the_largest_classes_are_named_first():
    confusion_CC = np.diag([1, 50, 0, 9]).astype(np.int64)
    assert [index for index, _ in shown_predictions.largest_classes(confusion_CC)] == [1, 3, 0]


def test_sixteen_bits_are_shown_by_their_upper_eight(png):
    buffer = io.BytesIO()
    Image.fromarray(np.full((8, 8), 128 * 256, np.uint16)).save(buffer, "PNG")
    mask_HW = np.zeros((8, 8), np.uint8)
    found = shown_predictions.score(0, counts.confusion_counts(mask_HW, mask_HW, 2))
    drawn = shown_predictions.draw("a", {}, found, buffer.getvalue(), png(mask_HW), png(mask_HW), 32, 50_000)
    assert abs(int(decoded(drawn.image)[4, 4, 0]) - 128) < 4
