"""LabelMe's files: what is taken, and what is quarantined with the shape's number."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest

from common.errors import UserError
from components.example_gen.quarantine import Reason
from tests.support.annotated_set import HEIGHT, SQUARE, WIDTH, AnnotatedSet, filled, png_of

LABELME = {"type": "labelme"}


def shape(points: Any = SQUARE, label: str = "cat", **changes: Any) -> dict[str, Any]:
    return {"label": label, "points": points, "group_id": None, "shape_type": "polygon", "flags": {}} | changes


def write(annotated: AnnotatedSet, *shapes: Any, **changes: Any) -> AnnotatedSet:
    annotated.photo("images/a.png")
    record = {
        "version": "5.5.0",
        "flags": {},
        "shapes": list(shapes),
        "imagePath": "a.png",
        "imageData": None,
        "imageHeight": HEIGHT,
        "imageWidth": WIDTH,
    }
    annotated.write("images/a.json", record | changes)
    return annotated


def detail(annotated: AnnotatedSet) -> tuple[Reason, str]:
    [entry] = annotated.survey(LABELME)[1]
    return entry.reason, entry.detail


def test_polygons(annotated: AnnotatedSet) -> None:
    masks = write(annotated, shape(), shape([[20, 2], [24, 2], [24, 6], [20, 6]], "dog")).masks(LABELME)
    assert list(masks) == ["images/a"]
    assert np.array_equal(masks["images/a"], filled() + filled(20, 2, 4, 2))


def test_rectangles_circles_and_masks(annotated: AnnotatedSet) -> None:
    window = base64.b64encode(png_of(np.pad(np.full((2, 3), 255, np.uint8), 1))).decode()
    write(
        annotated,
        shape([[2, 2], [6, 8]], shape_type="rectangle"),
        shape([[20, 12], [20, 18]], shape_type="circle"),
        shape([[2, 16], [6, 19]], "dog", shape_type="mask", mask=window),
    )
    mask_HW = annotated.mask(LABELME)
    assert mask_HW[2:8, 2:6].all() and not mask_HW[8, 2]
    assert mask_HW[12, 16] == 1 and mask_HW[12, 27] == 0
    assert (mask_HW == 2).sum() == 6 and mask_HW[17, 3] == 2


def test_images_and_annotations_in_folders_of_their_own(annotated: AnnotatedSet) -> None:
    write(annotated, shape())
    (annotated.root / "images/a.json").rename(annotated.root / "a.json")
    folders = LABELME | {"images": ["images/**"], "annotations": ["*.json"]}
    assert np.array_equal(annotated.mask(folders), filled())


@pytest.mark.parametrize("path", ["..\\photos\\a.jpg", "C:\\Users\\me\\a.png", "/home/me/A.png", None])
def test_only_the_name_in_image_path_counts(annotated: AnnotatedSet, path: str | None) -> None:
    assert np.array_equal(write(annotated, shape(), imagePath=path).mask(LABELME), filled())


@pytest.mark.parametrize(
    ("changes", "reason", "text"),
    [
        ({"imagePath": "b.png"}, Reason.AMBIGUOUS_NAME, "imagePath is 'b.png', but the file has the name of"),
        ({"imagePath": "https://example.org/a.png"}, Reason.OUTSIDE_ROOT, "is a URL"),
        ({"imageWidth": 99}, Reason.SIZE_MISMATCH, "the annotations are for 99×24 pixels, the image has 32×24"),
        ({"imageWidth": "99"}, Reason.BAD_ANNOTATION, "the file has the size '99'×24"),
        ({"shapes": []}, Reason.MISSING_MASK, "has no annotation"),
        ({"shapes": None}, Reason.UNREADABLE, "is not an annotation file of LabelMe"),
        ({"shapes": [shape(label="cow")]}, Reason.UNKNOWN_LABEL, "shape 1 has the class 'cow'"),
        ({"shapes": [shape(), {}]}, Reason.BAD_ANNOTATION, "shape 2 has no label"),
        ({"shapes": [shape([[1, 1], [2]])]}, Reason.BAD_ANNOTATION, "shape 1 has points that are not pairs"),
        ({"shapes": [shape([[1, 1], [2, 2]])]}, Reason.BAD_ANNOTATION, "shape 1 has a polygon of 2 points"),
        ({"shapes": [shape(shape_type="line")]}, Reason.BAD_ANNOTATION, "shape 1 is of the type 'line'"),
        ({"shapes": [shape(shape_type="circle")]}, Reason.BAD_ANNOTATION, "has 4 points instead of two"),
        (
            {"shapes": [shape([[1, 1], [2, 2]], shape_type="mask", mask="%")]},
            Reason.BAD_ANNOTATION,
            "shape 1 has a mask that is not base64",
        ),
        (
            {"shapes": [shape([[1, 1], [2, 2]], shape_type="mask", mask="aGVsbG8=")]},
            Reason.UNSUPPORTED_FORMAT,
            "shape 1: the file starts with b'hello'",
        ),
        (
            {"shapes": [shape([[1, 1], [float("inf"), 2]], shape_type="circle")]},
            Reason.BAD_ANNOTATION,
            "shape 1 has a coordinate that is not a finite number",
        ),
    ],
)
def test_what_cannot_be_used_is_quarantined(
    annotated: AnnotatedSet, changes: dict[str, Any], reason: Reason, text: str
) -> None:
    found = detail(write(annotated, **({"shapes": [shape()]} | changes)))
    assert found[0] is reason
    assert text in found[1]


def test_a_file_that_is_not_json(annotated: AnnotatedSet) -> None:
    write(annotated).write("images/a.json", b"{")
    assert detail(annotated)[0] is Reason.UNREADABLE


def test_a_key_that_is_written_twice(annotated: AnnotatedSet) -> None:
    write(annotated).write("images/a.json", b'{"shapes": [{"label": "cat", "label": "dog", "points": []}]}')
    assert "shape 1 has the key 'label' twice" in detail(annotated)[1]


def test_files_without_a_partner_and_names_that_occur_twice(annotated: AnnotatedSet) -> None:
    write(annotated, shape()).write("images/b.json", {"shapes": []})
    annotated.photo("images/c.png")
    for suffix in ("png", "bmp"):
        annotated.photo(f"images/d.{suffix}")
    assert annotated.reasons(LABELME) == {
        "images/b": Reason.MISSING_IMAGE,
        "images/c": Reason.MISSING_MASK,
        "images/d": Reason.AMBIGUOUS_NAME,
    }
    background = LABELME | {"unannotated": "background"}
    assert not annotated.masks(background)["images/c"].any()


def test_nothing_to_pair(annotated: AnnotatedSet) -> None:
    annotated.photo("images/a.png")
    annotated.write("b.json", {})
    with pytest.raises(UserError, match="no image can be paired with an annotation file of its name; the first: b"):
        annotated.survey(LABELME)
