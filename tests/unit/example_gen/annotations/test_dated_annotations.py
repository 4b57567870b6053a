"""Annotations that come a date at a time, in every format: one listing, each date with its own files."""

from __future__ import annotations

import datetime
import pickle
from typing import Any

import numpy as np
import pytest

from common.errors import UserError
from components.example_gen.annotations.config import DrawnSource
from components.example_gen.quarantine import Reason
from components.example_gen.sources import data_fingerprint, open_source
from components.example_gen.window import depends_on_date, resolve_dates
from tests.support.annotated_set import CLASSES, HEIGHT, WIDTH, AnnotatedSet, filled, png_of, square

TODAY = datetime.date(2024, 5, 9)
DAYS = ("2024-05-01", "2024-05-03")


def coco(annotated: AnnotatedSet, day: str, category: int) -> None:
    annotated.photo(f"{day}/images/a.png")
    record = {
        "images": [{"id": 1, "file_name": "a.png", "width": WIDTH, "height": HEIGHT}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": category, "segmentation": [square()]}],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
    }
    annotated.write(f"{day}/annotations/instances.json", record)


def labelme(annotated: AnnotatedSet, day: str, category: int) -> None:
    annotated.photo(f"{day}/a.png")
    corners = np.reshape(square(), (-1, 2)).tolist()
    record = {"label": CLASSES[category], "points": corners, "shape_type": "polygon"}
    annotated.write(f"{day}/a.json", {"shapes": [record], "imagePath": "a.png"})


def yolo(annotated: AnnotatedSet, day: str, category: int) -> None:
    """Each date numbers the classes in its own way."""
    annotated.photo(f"{day}/images/a.png")
    shares = " ".join(f"{value / (HEIGHT if place % 2 else WIDTH)}" for place, value in enumerate(square()))
    annotated.write(f"{day}/labels/a.txt", f"0 {shares}\n")
    annotated.write(f"{day}/data.yaml", f"names: [{CLASSES[category]}]\ntrain: images\n")


def instances(annotated: AnnotatedSet, day: str, category: int) -> None:
    annotated.photo(f"{day}/a/images/a.png")
    annotated.write(f"{day}/a/{CLASSES[category]}s/1.png", png_of(filled(value=255)))


FORMATS = {
    "coco": (coco, {}),
    "labelme": (labelme, {}),
    "yolo": (yolo, {}),
    "instances": (instances, {"masks": {"cat": ["*/cats/*"]}, "unannotated": "background"}),
}


def source_of(kind: str, annotated: AnnotatedSet, **changes: Any) -> DrawnSource:
    settings = {"type": kind, "root": f"{annotated.root}/{{date}}"} | FORMATS[kind][1] | changes
    source = resolve_dates(annotated.config(settings), TODAY).source
    assert isinstance(source, DrawnSource)
    return source


@pytest.mark.parametrize("kind", FORMATS)
def test_the_annotations_of_several_dates_are_one_listing(annotated: AnnotatedSet, kind: str) -> None:
    for category, day in enumerate(DAYS, 1):
        FORMATS[kind][0](annotated, day, 1 if kind == "instances" else category)
    source = source_of(kind, annotated, window=2)
    masks = annotated.masks(source.model_dump())
    assert [name.partition("/")[0] for name in sorted(masks)] == list(DAYS)
    for category, name in enumerate(sorted(masks), 1):
        np.testing.assert_array_equal(masks[name], filled(value=1 if kind == "instances" else category))


def test_a_run_reads_the_newest_date(annotated: AnnotatedSet) -> None:
    for day in DAYS:
        coco(annotated, day, 1)
    source = source_of("coco", annotated)
    assert source.dates == (datetime.date(2024, 5, 3),)
    assert [pair.id for pair in open_source(source, CLASSES).listing().pairs] == ["2024-05-03/images/a"]
    assert depends_on_date(annotated.config({"type": "coco", "root": f"{annotated.root}/{{date}}"}))


def test_the_date_may_be_in_the_annotation_files_name(annotated: AnnotatedSet) -> None:
    for day in DAYS:
        coco(annotated, day, 1)
        (annotated.root / day / "annotations/instances.json").rename(annotated.root / f"{day}.json")
    settings = {"root": str(annotated.root), "files": ["{date}.json"], "images": ["{date}/images"], "window": 5}
    source = source_of("coco", annotated, **settings)
    assert sorted(annotated.masks(source.model_dump())) == [f"{day}/{day}/images/a" for day in DAYS]


def test_what_is_quarantined_has_its_date(annotated: AnnotatedSet) -> None:
    coco(annotated, DAYS[0], 1)
    coco(annotated, DAYS[1], 7)
    source = source_of("coco", annotated, window=2).model_dump()
    [entry] = annotated.survey(source)[1]
    assert (entry.id, entry.reason) == ("2024-05-03/images/a", Reason.BAD_ANNOTATION)
    assert entry.image == "2024-05-03/images/a.png"


def test_the_fingerprint_follows_the_files_of_each_date(annotated: AnnotatedSet) -> None:
    for day in DAYS:
        coco(annotated, day, 1)
    source = source_of("coco", annotated, window=2)
    before = data_fingerprint(source)
    assert data_fingerprint(pickle.loads(pickle.dumps(source))) == before
    coco(annotated, DAYS[0], 2)
    assert data_fingerprint(source) != before


def test_paths_must_have_the_same_dates(annotated: AnnotatedSet) -> None:
    settings = {"type": "labelme", "images": ["{date}/**"], "annotations": ["*.json"]}
    with pytest.raises(ValueError, match="must have the same dates"):
        annotated.config(settings)
    with pytest.raises(ValueError, match="not for a public data set"):
        annotated.config({"type": "voc", "root": "data/{date}"})


def test_dates_without_data_are_told(annotated: AnnotatedSet) -> None:
    annotated.photo("2024-06-01/a.png")
    with pytest.raises(UserError, match="data of 2024-06-01 only, which is later or empty"):
        source_of("labelme", annotated)
