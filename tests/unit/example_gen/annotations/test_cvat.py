"""CVAT's files of images: what is taken, and what is quarantined with the annotation's number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from common.errors import UserError
from components.example_gen.quarantine import Reason
from tests.support.annotated_set import HEIGHT, SQUARE, WIDTH, AnnotatedSet, filled

CVAT = {"type": "cvat"}
POINTS = ";".join(f"{x},{y}" for x, y in SQUARE)


def polygon(points: str = POINTS, label: str = "cat", z_order: Any = 0) -> str:
    return f'<polygon label="{label}" source="manual" occluded="0" points="{points}" z_order="{z_order}"></polygon>'


def image(*shapes: str, name: str = "a.png", width: Any = WIDTH, key: int = 0) -> str:
    return f'<image id="{key}" name="{name}" width="{width}" height="{HEIGHT}">{"".join(shapes)}</image>'


def write(annotated: AnnotatedSet, *images: str) -> AnnotatedSet:
    annotated.photo("images/a.png")
    head = '<?xml version="1.0" encoding="utf-8"?><annotations><version>1.1</version><meta></meta>'
    annotated.write("annotations.xml", f"{head}{''.join(images)}</annotations>")
    return annotated


def detail(annotated: AnnotatedSet) -> tuple[Reason, str]:
    [entry] = annotated.survey(CVAT)[1]
    return entry.reason, entry.detail


def test_polygons(annotated: AnnotatedSet) -> None:
    masks = write(annotated, image(polygon())).masks(CVAT)
    assert list(masks) == ["images/a"]
    assert np.array_equal(masks["images/a"], filled())


def test_masks_are_runs_along_the_rows_of_a_window(annotated: AnnotatedSet) -> None:
    runs = '<mask label="dog" rle="1, 3, 2, 2" left="5" top="7" width="4" height="2" z_order="0"></mask>'
    mask_HW = write(annotated, image(runs)).mask(CVAT)
    expected_HW = np.zeros((HEIGHT, WIDTH), np.uint8)
    expected_HW[7, 6:9] = expected_HW[8, 7:9] = 2
    assert np.array_equal(mask_HW, expected_HW)


def test_boxes_and_ellipses_are_turned(annotated: AnnotatedSet) -> None:
    box = '<box label="cat" xtl="4" ytl="6" xbr="12" ybr="8" rotation="90" z_order="0"></box>'
    ellipse = '<ellipse label="dog" cx="22" cy="12" rx="8" ry="3" z_order="0"></ellipse>'
    mask_HW = write(annotated, image(box, ellipse)).mask(CVAT)
    assert np.array_equal(np.argwhere(mask_HW == 1).min(axis=0), [3, 7])
    assert np.array_equal(np.argwhere(mask_HW == 1).max(axis=0), [10, 8])
    assert mask_HW[12, 15] == 2 and mask_HW[16, 22] == 0


def test_the_z_order_decides_what_is_on_top(annotated: AnnotatedSet) -> None:
    assert np.array_equal(write(annotated, image(polygon(z_order=1), polygon(label="dog"))).mask(CVAT), filled())


@pytest.mark.parametrize(
    ("entry", "reason", "text"),
    [
        (image(polygon("1,1;2,2")), Reason.BAD_ANNOTATION, "polygon 1 has a polygon of 2 points"),
        (image(polygon("1,1;2;3,3")), Reason.BAD_ANNOTATION, "polygon 1 has attributes that are not numbers"),
        (image(polygon("1,1;x,2;3,3")), Reason.BAD_ANNOTATION, "polygon 1 has attributes that are not numbers"),
        (image(polygon("1,1;nan,2;3,3")), Reason.BAD_ANNOTATION, "polygon 1 has a coordinate that is not a finite"),
        (image(polygon(z_order="top")), Reason.BAD_ANNOTATION, "polygon 1 has a z_order that is not a number"),
        (image(polygon(), polygon(label="cow")), Reason.UNKNOWN_LABEL, "polygon 2 has the class 'cow'"),
        (image("<polygon/>"), Reason.BAD_ANNOTATION, "polygon 1 has no label"),
        (image('<polyline label="cat" points="1,1;5,5"/>'), Reason.BAD_ANNOTATION, "polyline 1 is of the type"),
        (
            image('<mask label="cat" rle="0,99" left="0" top="0" width="4" height="4"/>'),
            Reason.BAD_ANNOTATION,
            "mask 1 has runs of 99 pixels in a window of 4×4",
        ),
        (
            image('<mask label="cat" rle="0,1000000000000" left="0" top="0" width="1000000" height="1000000"/>'),
            Reason.BAD_ANNOTATION,
            "mask 1 has a window of 1000000×1000000 pixels in an image of 32×24",
        ),
        (image(), Reason.MISSING_MASK, "has no annotation"),
        (image('<tag label="cat"/>'), Reason.MISSING_MASK, "has no annotation"),
        (image(polygon(), width=99), Reason.SIZE_MISMATCH, "the annotations are for 99×24 pixels"),
        (image(polygon(), width="wide"), Reason.BAD_ROW, "has the size wide×24"),
        (image(polygon(), name=""), Reason.BAD_ROW, "has no name"),
        (image(polygon(), name="C:\\a.png"), Reason.OUTSIDE_ROOT, "is an absolute path"),
        (image(polygon(), name="http://host/a.png"), Reason.OUTSIDE_ROOT, "is a URL"),
        (image(polygon(), name="b.png"), Reason.MISSING_IMAGE, "does not exist below the root"),
    ],
)
def test_what_cannot_be_used_is_quarantined(annotated: AnnotatedSet, entry: str, reason: Reason, text: str) -> None:
    found = detail(write(annotated, entry))
    assert found[0] is reason
    assert text in found[1]


def test_images_of_several_tasks_may_have_one_id(annotated: AnnotatedSet) -> None:
    annotated.photo("images/b.png")
    masks = write(annotated, image(polygon()), image(polygon(label="dog"), name="b.png")).masks(CVAT)
    assert masks["images/a"].max() == 1 and masks["images/b"].max() == 2


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("hello", "is not XML"),
        ("<html></html>", "its root is <html>, not <annotations>"),
        ("<annotations><track/></annotations>", "is for a video"),
        ("<annotations></annotations>", "lists no image"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><annotations></annotations>', "has a document type"),
    ],
)
def test_a_file_that_is_not_cvats_is_refused(annotated: AnnotatedSet, content: str, text: str) -> None:
    annotated.write("annotations.xml", content)
    with pytest.raises(UserError, match=text):
        annotated.survey(CVAT)
