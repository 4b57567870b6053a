"""Manifests whose rows name annotation files instead of masks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.errors import UserError
from components.example_gen.quarantine import Reason
from components.example_gen.sources import data_fingerprint
from tests.support.annotated_set import CLASSES, HEIGHT, WIDTH, AnnotatedSet, filled, png_of, square

CATEGORIES = [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
CVAT = """<annotations><version>1.1</version>
<image id="0" name="a.png" width="32" height="24">
<polygon label="cat" points="4,4;12,4;12,12;4,12"/></image></annotations>"""


def manifest(
    annotated: AnnotatedSet, rows: dict[str, str], columns: str = "image,mask", **settings: Any
) -> dict[str, Any]:
    """Writes the manifest with image → mask, and the images; returns the source of such rows."""
    for image in rows:
        annotated.photo(image)
    lines = [f"{image},{mask}" for image, mask in rows.items()]
    annotated.write("index.csv", "\n".join([columns, *lines]) + "\n")
    return {"type": "manifest", "annotations": settings}


def labelme(annotated: AnnotatedSet, path: str, image: str, label: str = "cat") -> None:
    corners = np.reshape(square(), (-1, 2)).tolist()
    shape = {"label": label, "points": corners, "shape_type": "polygon"}
    annotated.write(path, {"shapes": [shape], "imagePath": image})


def coco(annotated: AnnotatedSet, path: str, files: dict[int, str], *annotations: dict[str, Any]) -> None:
    images = [{"id": key, "file_name": file, "width": WIDTH, "height": HEIGHT} for key, file in files.items()]
    annotated.write(path, {"images": images, "annotations": list(annotations), "categories": CATEGORIES})


def annotation(image: int, category: int = 1, **changes: Any) -> dict[str, Any]:
    return {"id": 10 * image, "image_id": image, "category_id": category, "segmentation": [square()]} | changes


def test_each_row_may_name_a_file_of_labelme(annotated: AnnotatedSet) -> None:
    source = manifest(annotated, {"photos/a.png": "marked/first.json", "photos/b.png": "marked/b.json"}, type="labelme")
    labelme(annotated, "marked/first.json", "a.png")
    labelme(annotated, "marked/b.json", "b.png", "dog")
    masks = annotated.masks(source)
    np.testing.assert_array_equal(masks["photos/a"], filled())
    np.testing.assert_array_equal(masks["photos/b"], filled(value=2))


def test_rows_may_name_masks_and_annotations_side_by_side(annotated: AnnotatedSet) -> None:
    source = manifest(annotated, {"a.png": "a.json", "b.png": "masks/b.png"}, type="labelme")
    labelme(annotated, "a.json", "a.png")
    annotated.write("masks/b.png", png_of(filled(value=2)))
    masks = annotated.masks(source)
    np.testing.assert_array_equal(masks["a"], filled())
    np.testing.assert_array_equal(masks["b"], filled(value=2))


def test_each_row_may_name_a_file_of_yolo(annotated: AnnotatedSet) -> None:
    settings = {"type": "yolo", "names_file": "classes.yaml", "class_map": {"pets": "dog"}}
    source = manifest(annotated, {"photos/a.png": "texts/a.txt"}, **settings)
    shares = " ".join(f"{value / (HEIGHT if place % 2 else WIDTH)}" for place, value in enumerate(square()))
    annotated.write("texts/a.txt", f"0 {shares}\n")
    with pytest.raises(UserError, match=r"no file classes\.yaml with the names of the classes"):
        annotated.survey(source)
    annotated.write("classes.yaml", "names: [pets]\n")
    np.testing.assert_array_equal(annotated.mask(source), filled(value=2))
    before = data_fingerprint(annotated.config(source).source)
    annotated.write("classes.yaml", "names: [pets, others]\n")
    assert data_fingerprint(annotated.config(source).source) != before


def test_many_rows_may_name_one_file_of_coco(annotated: AnnotatedSet) -> None:
    rows = dict.fromkeys(("north/a.png", "south/a.png", "b.png"), "all.json")
    source = manifest(annotated, rows, type="coco")
    files = {1: "north/a.png", 2: "/data/on/another/machine/south/a.png", 3: "b.png", 4: "of another set.png"}
    coco(annotated, "all.json", files, annotation(1), annotation(2, 2), annotation(3), annotation(4))
    masks = annotated.masks(source)
    assert {name: int(mask_HW.max()) for name, mask_HW in masks.items()} == {"north/a": 1, "south/a": 2, "b": 1}
    summary, quarantined = annotated.survey(source)
    assert (summary.found, quarantined) == (3, [])


def test_rows_of_cvat_are_found_by_the_end_of_the_images_path(annotated: AnnotatedSet) -> None:
    source = manifest(annotated, {"photos/2024/a.png": "job.xml"}, type="cvat")
    annotated.write("job.xml", CVAT)
    np.testing.assert_array_equal(annotated.mask(source), filled())


def test_split_group_and_slices_of_the_row_are_kept(annotated: AnnotatedSet) -> None:
    source = manifest(annotated, {"a.png": "a.json,test,ulm"}, "image,mask,split,town", type="labelme")
    labelme(annotated, "a.json", "a.png")
    summary, _ = annotated.survey(source)
    assert summary.used == {"train": 0, "eval": 0, "test": 1}


@pytest.mark.parametrize(
    ("files", "reason", "words"),
    [
        ({2: "b.png"}, Reason.MISSING_MASK, "row 2 names all.json, which has no entry for the image a.png"),
        ({2: "not-a.png"}, Reason.MISSING_MASK, "no entry for the image a.png"),
        ({2: "https://host/a.png"}, Reason.MISSING_MASK, "no entry for the image a.png"),
        ({1: "a.png", 2: "a.png"}, Reason.AMBIGUOUS_NAME, "2 entries name the image: image 1, image 2"),
        ({1: "a.png"}, Reason.BAD_ANNOTATION, "annotation 10 has the category_id 9"),
    ],
)
def test_a_row_without_one_sound_entry_is_quarantined(
    annotated: AnnotatedSet, files: dict[int, str], reason: Reason, words: str
) -> None:
    source = manifest(annotated, {"a.png": "all.json"}, type="coco")
    coco(annotated, "all.json", files, annotation(1, 9))
    [entry] = annotated.survey(source)[1]
    assert (entry.id, entry.reason) == ("a", reason)
    assert words in entry.detail


def test_an_image_without_annotations_is_quarantined_or_background(annotated: AnnotatedSet) -> None:
    source = manifest(annotated, {"a.png": "all.json"}, type="coco")
    coco(annotated, "all.json", {1: "a.png"})
    [entry] = annotated.survey(source)[1]
    assert entry.reason == Reason.MISSING_MASK
    assert "write unannotated: background under data.source.annotations" in entry.detail
    assert annotated.mask(source | {"annotations": {"type": "coco", "unannotated": "background"}}).max() == 0


def test_an_unknown_class_is_told_with_the_line_to_write(annotated: AnnotatedSet) -> None:
    source = manifest(annotated, {"a.png": "a.json"}, type="labelme")
    labelme(annotated, "a.json", "a.png", "bird")
    [entry] = annotated.survey(source)[1]
    assert entry.reason == Reason.UNKNOWN_LABEL
    assert entry.remedy == "write class_map: {bird: dog} under data.source.annotations (or another class, void or skip)"


def test_a_missing_annotation_file_is_told_as_a_missing_mask_is(annotated: AnnotatedSet) -> None:
    source = manifest(annotated, {"a.png": "gone.json", "b.png": "b.json"}, type="labelme")
    labelme(annotated, "b.json", "b.png")
    assert annotated.reasons(source) == {"a": Reason.MISSING_MASK}


def test_the_fingerprint_follows_the_annotation_files(annotated: AnnotatedSet) -> None:
    source = manifest(annotated, {"a.png": "a.json"}, type="labelme")
    labelme(annotated, "a.json", "a.png")
    before = data_fingerprint(annotated.config(source).source)
    labelme(annotated, "a.json", "a.png", "dog")
    assert data_fingerprint(annotated.config(source).source) != before


def test_manifests_of_several_dates_name_annotations_too(annotated: AnnotatedSet) -> None:
    for day in ("2024-05-01", "2024-05-02"):
        part = AnnotatedSet(annotated.root / day)
        manifest(part, {"a.png": "all.json"})
        part.photo("a.png", WIDTH, HEIGHT)
        annotated.photo(f"{day}/a.png")  # A different one for each date.
        coco(part, "all.json", {1: "a.png"}, annotation(1))
    source = {
        "type": "manifest",
        "root": f"{annotated.root}/{{date}}",
        "annotations": {"type": "coco"},
        "dates": ["2024-05-01", "2024-05-02"],
    }
    masks = annotated.masks(source)
    assert sorted(masks) == ["2024-05-01/a", "2024-05-02/a"]
    np.testing.assert_array_equal(masks["2024-05-02/a"], filled())


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"type": "labelme", "class_map": {"cat": "bird"}}, r"annotations\.class_map\['cat'\] names 'bird'"),
        ({"type": "labelme", "crowd": "skip"}, "crowd is for annotations of type coco, not labelme"),
        ({"type": "yolo"}, "need a manifest without {date}"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: dict[str, Any], words: str, tmp_path: Path) -> None:
    root = "data/{date}" if settings["type"] == "yolo" else "data"
    with pytest.raises(ValueError, match=words):
        AnnotatedSet(tmp_path).config({"type": "manifest", "root": root, "annotations": settings})


def test_labels_are_for_masks(tmp_path: Path) -> None:
    source = {"type": "manifest", "annotations": {"type": "coco"}}
    labels = {"type": "values", "classes": dict(enumerate(CLASSES))}
    with pytest.raises(ValueError, match=r"write source\.annotations\.class_map instead"):
        AnnotatedSet(tmp_path).config(source, labels=labels)
