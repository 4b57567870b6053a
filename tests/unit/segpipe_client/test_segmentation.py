"""Results: what an app draws and stores."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from common import palette
from segpipe_client.answer import Answer
from segpipe_client.errors import SegmentationError
from segpipe_client.palette import colours
from segpipe_client.pictures import encoded
from segpipe_client.segmentation import Segmentation, make_segmentation

MASK = np.array([[0, 1, 1], [2, 1, 0]], np.uint8)
PICTURE = np.random.default_rng(1).integers(0, 256, [2, 3, 3]).astype(np.uint8)
NAMES = ("ground", "roof", "tree")


def answer(mask: np.ndarray = MASK, names: tuple[str, ...] = NAMES, classes: int = 3) -> Answer:
    out = io.BytesIO()
    Image.fromarray(mask).save(out, "PNG")
    shares = (np.bincount(mask.ravel(), minlength=classes) / mask.size).tolist()
    return Answer(out.getvalue(), shares[:classes], 0.9, names, 7)


def segmentation(classes: list[str] | None = None, **given: object) -> Segmentation:
    return make_segmentation(answer(**given), encoded(PICTURE), classes)  # type: ignore[arg-type]


def test_a_result_has_the_mask_and_the_share_of_each_class_by_name() -> None:
    result = segmentation()
    np.testing.assert_array_equal(result.mask_HW, MASK)
    assert result.fractions == pytest.approx({"ground": 2 / 6, "roof": 3 / 6, "tree": 1 / 6})
    assert (result.class_names, result.mean_confidence, result.model_version) == (NAMES, 0.9, 7)
    assert len(repr(result)) < 200


def test_names_are_the_callers_before_the_models_before_numbers() -> None:
    assert segmentation(classes=["a", "b", "c"]).class_names == ("a", "b", "c")
    assert segmentation(names=()).class_names == ("class 0", "class 1", "class 2")
    with pytest.raises(SegmentationError, match="the model has 3 classes, but the names are a, b"):
        segmentation(classes=["a", "b"])


def test_the_overlay_is_that_of_the_rest_of_segpipe() -> None:
    for alpha in (0.0, 0.3, 1.0):
        np.testing.assert_array_equal(np.asarray(segmentation().overlay(alpha)), palette.overlay(PICTURE, MASK, alpha))


def test_every_class_has_the_colour_that_it_has_in_the_report() -> None:
    np.testing.assert_array_equal(colours(255), palette.class_colours(255))
    assert len(colours(3)) == 3


def test_polygons_are_chosen_by_class_names() -> None:
    features = segmentation().polygons(["tree", "roof"])["features"]
    assert [feature["properties"] for feature in features] == [
        {"class": "roof", "class_index": 1, "pixels": 3},
        {"class": "tree", "class_index": 2, "pixels": 1},
    ]
    assert len(segmentation().polygons()["features"]) == 4
    assert len(segmentation().polygons(min_pixels=2)["features"]) == 1
    with pytest.raises(ValueError, match="unknown class 'water'; there are ground, roof, tree"):
        segmentation().polygons(["water"])


@pytest.mark.parametrize(
    ("mask_png", "words"),
    [
        (b"no picture", "cannot be decoded"),
        (answer(MASK * 100, classes=201).mask_png, "not an 8-bit image of indices under 3"),
        (encoded(PICTURE), "not an 8-bit image"),
    ],
)
def test_a_mask_that_is_none_is_the_servers_mistake(mask_png: bytes, words: str) -> None:
    with pytest.raises(SegmentationError, match=words):
        make_segmentation(answer()._replace(mask_png=mask_png), encoded(PICTURE), None)
