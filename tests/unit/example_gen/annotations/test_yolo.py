"""YOLO's polygons: what is taken, and what is quarantined with the line's number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from common.errors import UserError
from components.example_gen.quarantine import Reason
from tests.support.annotated_set import HEIGHT, SQUARE, WIDTH, AnnotatedSet, filled

YOLO = {"type": "yolo"}
YAML = "train: images/train\nval: images/val\nnames: {0: cat, 1: dog}\n"
LINE = "0 " + " ".join(f"{x / WIDTH} {y / HEIGHT}" for x, y in SQUARE)


def write(annotated: AnnotatedSet, label: bytes | str | None = LINE, yaml: str = YAML) -> AnnotatedSet:
    annotated.write("data.yaml", yaml)
    for split in ("train", "val"):
        annotated.photo(f"images/{split}/{split}.png")
        if label is not None:
            annotated.write(f"labels/{split}/{split}.txt", label)
    return annotated


def test_polygons_are_shares_of_the_images_sides(annotated: AnnotatedSet) -> None:
    masks = write(annotated).masks(YOLO)
    assert np.array_equal(masks["images/train/train"], filled())
    assert sorted(masks) == ["images/train/train", "images/val/val"]


def test_folders_are_splits(annotated: AnnotatedSet) -> None:
    assert write(annotated).survey(YOLO)[0].used["eval"] == 1
    assert annotated.survey(YOLO | {"splits": {"train": "train", "val": "test"}})[0].used["test"] == 1


@pytest.mark.parametrize(
    ("yaml", "settings"),
    [
        ("path: ../datasets/pets\ntrain: ../images/train\nval: ../images/val\nnames: [cat, dog]\n", {}),
        ("train: {root}/images/train\nval: images\\val\nnames: [cat, dog]\n", {}),
        ("train: /data/train\nval: /data/val\nnames: [cat]\n", {"train": "images/train", "val": "images/val"}),
        ("train: [images/train, images/val]\nnames: [cat]\n", {}),
    ],
)
def test_folders_are_found_below_the_root(annotated: AnnotatedSet, yaml: str, settings: dict[str, str]) -> None:
    write(annotated, yaml=yaml.replace("{root}", str(annotated.root)))
    assert len(annotated.masks(YOLO | {"folders": settings})) == 2


def test_labels_beside_the_images(annotated: AnnotatedSet) -> None:
    annotated.write("data.yaml", "train: train\nnames: [cat]\n")
    annotated.photo("train/a.png")
    annotated.write("train/a.txt", LINE)
    assert np.array_equal(annotated.mask(YOLO), filled())


@pytest.mark.parametrize(
    ("label", "reason", "text"),
    [
        ("0 0.5 0.5 0.2 0.2", Reason.BAD_ANNOTATION, "line 1 is a box, not a polygon"),
        (f"{LINE}\n0 0.1 0.1 0.2 0.2 0.3 0.3 0.4", Reason.BAD_ANNOTATION, "line 2 has 7 numbers"),
        ("0 0.1 0.1 x 0.2 0.3 0.3", Reason.BAD_ANNOTATION, "line 1 has a coordinate that is not a number"),
        ("0 0.1 0.1 nan 0.2 0.3 0.3", Reason.BAD_ANNOTATION, "line 1 has a coordinate that is not a finite"),
        ("0 4 4 12 4 12 12", Reason.BAD_ANNOTATION, "line 1 has the coordinate 12, but coordinates are shares"),
        ("7 0.1 0.1 0.2 0.2 0.3 0.3", Reason.BAD_ANNOTATION, "line 1 has the class '7', which data.yaml"),
        ("cat 0.1 0.1 0.2 0.2 0.3 0.3", Reason.BAD_ANNOTATION, "line 1 has the class 'cat', which data.yaml"),
        ("0", Reason.BAD_ANNOTATION, "line 1 has a polygon of 0 points"),
        (b"\xff\xfe\x00", Reason.UNREADABLE, "is not text"),
        ("\n \n", Reason.MISSING_MASK, "has no annotation"),
        (None, Reason.MISSING_MASK, "has no annotation"),
    ],
)
def test_what_cannot_be_used_is_quarantined(
    annotated: AnnotatedSet, label: bytes | str | None, reason: Reason, text: str
) -> None:
    entries = write(annotated, label).survey(YOLO)[1]
    assert [entry.reason for entry in entries] == [reason] * 2
    assert text in entries[0].detail


@pytest.mark.parametrize("label", ["", None])
def test_images_without_annotations_are_background_if_asked(annotated: AnnotatedSet, label: str | None) -> None:
    masks = write(annotated, label).masks(YOLO | {"unannotated": "background"})
    assert len(masks) == 2 and not masks["images/val/val"].any()


@pytest.mark.parametrize(
    ("yaml", "text"),
    [
        ("[1]", "is not a mapping"),
        ("{", "is not YAML"),
        ("train: images/train\n", "has no names of classes"),
        ("train: images/train\nnames: {cat: 0}\n", "names the class 'cat' 0"),
        ("names: [cat]\n", "has none of the keys train, val, test; set data.source.folders"),
        ("train: nowhere\nnames: [cat]\n", "the train folder 'nowhere' is not a folder below"),
        ("train: ../../etc\nnames: [cat]\n", "the train folder '../../etc' is not a folder below"),
        ("train: images/list.txt\nnames: [cat]\n", "lists of images are not read, only folders"),
        ("train: 7\nnames: [cat]\n", "the train folder 7, which is not a path"),
    ],
)
def test_a_data_yaml_that_cannot_be_used_is_refused(annotated: AnnotatedSet, yaml: str, text: str) -> None:
    with pytest.raises(UserError, match=text):
        write(annotated, yaml=yaml).survey(YOLO)


@pytest.mark.parametrize(("file", "text"), [("x.yaml", "no file x.yaml in"), ("../x.yaml", "contains '..'")])
def test_no_data_yaml(annotated: AnnotatedSet, file: str, text: str) -> None:
    with pytest.raises(UserError, match=text):
        write(annotated).survey(YOLO | {"file": file})


def test_settings(annotated: AnnotatedSet) -> None:
    changes: dict[str, Any] = {"splits": {"val": "validation"}}
    with pytest.raises(ValueError, match="unknown split 'validation'"):
        annotated.config(YOLO | changes)
