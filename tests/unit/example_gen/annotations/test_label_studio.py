"""Label Studio's exports: what is taken, and what is quarantined with the region's id."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from common.errors import UserError
from components.example_gen.quarantine import Reason
from tests.support.annotated_set import HEIGHT, SQUARE, WIDTH, AnnotatedSet, filled

STUDIO = {"type": "label_studio"}
PERCENT = [[100 * x / WIDTH, 100 * y / HEIGHT] for x, y in SQUARE]


def region(kind: str, label: str = "cat", key: str = "r1", **value: Any) -> dict[str, Any]:
    return {
        "id": key,
        "type": kind,
        "from_name": "tag",
        "to_name": "image",
        "original_width": WIDTH,
        "original_height": HEIGHT,
        "image_rotation": 0,
        "value": {kind: [label]} | value,
    }


def polygon(**changes: Any) -> dict[str, Any]:
    return region("polygonlabels", points=PERCENT) | changes


def task(*regions: Any, image: Any = "a.png", **changes: Any) -> dict[str, Any]:
    annotations = [{"id": 5, "was_cancelled": False, "result": list(regions)}]
    return {"id": 1, "data": {"image": image}, "annotations": annotations} | changes


def write(annotated: AnnotatedSet, *tasks: Any) -> AnnotatedSet:
    annotated.photo("images/a.png")
    annotated.write("export.json", list(tasks))
    return annotated


def detail(annotated: AnnotatedSet) -> tuple[Reason, str]:
    [entry] = annotated.survey(STUDIO)[1]
    return entry.reason, entry.detail


def bits(*numbers: tuple[int, int]) -> list[int]:
    """Bytes that hold numbers, each with its count of bits."""
    text = "".join(f"{number:0{size}b}" for number, size in numbers)
    text += "0" * (-len(text) % 8)
    return [int(text[place : place + 8], 2) for place in range(0, len(text), 8)]


HEAD = [(WIDTH * HEIGHT * 4, 32), (7, 5), (2, 4), (3, 4), (7, 4), (15, 4)]
"""Number of values, bits of one, and bits of the four lengths: 3, 4, 8 and 16."""


def brush(mask_HW: np.ndarray) -> list[int]:
    """The brush of a mask: runs where it is empty, single values where it is painted in red."""
    blocks = list(HEAD)
    flat_N = mask_HW.ravel()
    edges = [0, *(np.flatnonzero(np.diff(flat_N)) + 1).tolist(), flat_N.size]
    for start, stop in pairwise(edges):
        values = 4 * (stop - start)
        if flat_N[start]:
            blocks += [(0, 1), (3, 2), (values - 1, 16), *[(value, 8) for value in (255, 0, 0, 255) * (stop - start)]]
        else:
            blocks += [(1, 1), (3, 2), (values - 1, 16), (0, 8)]
    return bits(*blocks)


def test_polygons_are_percent_of_the_images_sides(annotated: AnnotatedSet) -> None:
    masks = write(annotated, task(polygon())).masks(STUDIO)
    assert list(masks) == ["images/a"]
    assert np.array_equal(masks["images/a"], filled())


def test_the_brush(annotated: AnnotatedSet) -> None:
    painted_HW = filled(2, 2, 10) - filled(4, 4, 3)
    write(annotated, task(region("brushlabels", "dog", format="rle", rle=brush(painted_HW))))
    assert np.array_equal(annotated.mask(STUDIO), 2 * painted_HW)


def test_rectangles_and_ellipses_are_turned(annotated: AnnotatedSet) -> None:
    box = region("rectanglelabels", x=25, y=25, width=25, height=25, rotation=90)
    ellipse = region("ellipselabels", "dog", x=75, y=50, radiusX=12.5, radiusY=25, rotation=0)
    mask_HW = write(annotated, task(box, ellipse)).mask(STUDIO)
    assert np.array_equal(np.argwhere(mask_HW == 1).min(axis=0), [6, 2])
    assert np.array_equal(np.argwhere(mask_HW == 1).max(axis=0), [13, 7])
    assert mask_HW[12, 21] == 2 and mask_HW[17, 24] == 2 and mask_HW[12, 29] == 0


@pytest.mark.parametrize(
    "address",
    [
        "a.png",
        "images/a.png",
        "/data/upload/3/0123abcd-a.png",
        "/data/upload/3/a.png",
        "/data/local-files/?d=images%2Fa.png",
    ],
)
def test_images_behind_label_studios_addresses(annotated: AnnotatedSet, address: str) -> None:
    assert list(write(annotated, task(polygon(), image=address)).masks(STUDIO)) == ["images/a"]


def test_choices_and_cancelled_annotations_are_not_drawn(annotated: AnnotatedSet) -> None:
    choice = {"id": "c", "type": "choices", "value": {"choices": ["good"]}}
    skipped = {"id": 6, "was_cancelled": True, "result": [polygon()]}
    found = task(polygon(), choice)
    write(annotated, found | {"annotations": [*found["annotations"], skipped]})
    assert np.array_equal(annotated.mask(STUDIO), filled())


@pytest.mark.parametrize(
    ("entry", "reason", "text"),
    [
        (
            task(region("brushlabels", format="rle", rle=[1, 2])),
            Reason.BAD_ANNOTATION,
            "region r1 has a brush that is cut",
        ),
        (task(region("brushlabels", format="rle", rle=[300])), Reason.BAD_ANNOTATION, "is not a list of bytes"),
        (task(region("brushlabels", format="png")), Reason.BAD_ANNOTATION, "region r1 has a brush of the format 'png'"),
        (
            task(region("brushlabels", format="rle", rle=bits((2**32 - 1, 32), (0, 32)))),
            Reason.BAD_ANNOTATION,
            "region r1 has a brush of 4294967295 values, but an image of 32×24 pixels has 3072",
        ),
        (
            task(region("brushlabels", format="rle", rle=bits(*HEAD, (1, 1), (3, 2), (65535, 16), (0, 8)))),
            Reason.BAD_ANNOTATION,
            "region r1 has a brush whose runs are longer than the image",
        ),
        (task(region("polygonlabels", points=[[1, 2], [3]])), Reason.BAD_ANNOTATION, "region r1 has coordinates that"),
        (task(region("rectanglelabels", x=1)), Reason.BAD_ANNOTATION, "region r1 has coordinates that are not numbers"),
        (task(region("keypointlabels", x=1)), Reason.BAD_ANNOTATION, "is of the type 'keypointlabels'"),
        (task(polygon(image_rotation=90)), Reason.BAD_ANNOTATION, "was drawn on the image turned by 90 degrees"),
        (task(polygon(value={"points": PERCENT})), Reason.BAD_ANNOTATION, "does not have one label"),
        (task(region("polygonlabels", "cow", points=PERCENT)), Reason.UNKNOWN_LABEL, "region r1 has the class 'cow'"),
        (task(polygon(original_width=99)), Reason.SIZE_MISMATCH, "the annotations are for 99×24 pixels"),
        (task(polygon(), polygon(original_width=99)), Reason.BAD_ROW, "has regions of several image sizes"),
        (task(), Reason.MISSING_MASK, "has no annotation"),
        (task(annotations=[]), Reason.MISSING_MASK, "has no annotation"),
        (task(annotations=None), Reason.BAD_ROW, "export as 'JSON', not as 'JSON-MIN'"),
        (task(annotations=[{"result": []}, {"result": []}]), Reason.AMBIGUOUS_NAME, "has 2 annotations"),
        (
            task(data={"picture": "a.png"}),
            Reason.BAD_ROW,
            "has no text data.image, but picture; set data.source.image_key",
        ),
        (task(polygon(), image="s3://bucket/a.png"), Reason.OUTSIDE_ROOT, "is a URL"),
        (task(polygon(), image="https://host/a.png"), Reason.OUTSIDE_ROOT, "is a URL"),
        (task(polygon(), image="/data/local-files/?d=../a.png"), Reason.OUTSIDE_ROOT, "contains '..'"),
        (task(polygon(), image="/data/upload/1/b.png"), Reason.MISSING_IMAGE, "does not exist below the root"),
    ],
)
def test_what_cannot_be_used_is_quarantined(annotated: AnnotatedSet, entry: Any, reason: Reason, text: str) -> None:
    found = detail(write(annotated, entry))
    assert found[0] is reason
    assert text in found[1]


def test_tasks_of_one_id(annotated: AnnotatedSet) -> None:
    entries = write(annotated, task(polygon()), task(polygon())).survey(STUDIO)[1]
    assert [entry.reason for entry in entries] == [Reason.AMBIGUOUS_NAME] * 2


def test_another_key_for_the_image(annotated: AnnotatedSet) -> None:
    write(annotated, task(polygon(), data={"picture": "a.png"}))
    assert np.array_equal(annotated.mask(STUDIO | {"image_key": "picture"}), filled())


@pytest.mark.parametrize(
    ("content", "text"), [({"a": 1}, "is not an export of Label Studio: it is a dict"), ([], "lists no image")]
)
def test_a_file_that_is_not_label_studios_is_refused(annotated: AnnotatedSet, content: Any, text: str) -> None:
    annotated.write("export.json", content)
    with pytest.raises(UserError, match=text):
        annotated.survey(STUDIO)
