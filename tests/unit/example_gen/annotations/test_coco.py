"""COCO files of instances: what is taken, and what is quarantined with the annotation's id."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from common.errors import UserError
from common.records import VOID
from components.example_gen.quarantine import Reason
from tests.support.annotated_set import HEIGHT, WIDTH, AnnotatedSet, filled, square
from tests.support.data_set import encode, photo

COCO = {"type": "coco"}


def coco(*segmentations: Any, **changes: Any) -> dict[str, Any]:
    """A file with one image and its annotations, cats unless an annotation is given whole."""
    annotations = [
        {"id": 10 + number, "image_id": 1, "category_id": 7, "iscrowd": 0}
        | (found if isinstance(found, dict) and "counts" not in found else {"segmentation": found})
        for number, found in enumerate(segmentations)
    ]
    return {
        "images": [{"id": 1, "file_name": "a.png", "width": WIDTH, "height": HEIGHT}],
        "annotations": annotations,
        "categories": [{"id": 7, "name": "cat"}, {"id": 8, "name": "dog"}],
    } | changes


def write(annotated: AnnotatedSet, *segmentations: Any, **changes: Any) -> AnnotatedSet:
    annotated.photo("images/a.png")
    annotated.write("annotations/instances.json", coco(*segmentations, **changes))
    return annotated


def detail(annotated: AnnotatedSet, source: dict[str, Any] = COCO) -> tuple[Reason, str]:
    [entry] = annotated.survey(source)[1]
    return entry.reason, entry.detail


def test_polygons_are_drawn_as_pycocotools_draws_them(annotated: AnnotatedSet) -> None:
    points = [2.3, 3.1, 20.7, 5.5, 15.2, 20.9, 9.0, 11.4]
    expected_HW = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects([points], HEIGHT, WIDTH)))
    assert np.array_equal(write(annotated, [points]).mask(COCO), expected_HW)


def test_the_polygons_of_one_annotation_are_united(annotated: AnnotatedSet) -> None:
    write(annotated, [square(2, 2, 4), square(10, 10, 4)])
    assert np.array_equal(annotated.mask(COCO), filled(2, 2, 4) + filled(10, 10, 4))


@pytest.mark.parametrize("compressed", [False, True])
def test_run_lengths_keep_holes(annotated: AnnotatedSet, compressed: bool) -> None:
    expected_HW = filled(2, 2, 12) - filled(5, 5, 3)
    flat = expected_HW.ravel(order="F")
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flat, [1 - flat[-1]]]))).tolist()
    runs: Any = {"size": [HEIGHT, WIDTH], "counts": np.diff([0, *edges]).tolist()}
    if compressed:
        runs = coco_mask.frPyObjects(runs, HEIGHT, WIDTH)
        runs["counts"] = runs["counts"].decode()
    assert np.array_equal(write(annotated, runs).mask(COCO), expected_HW)


def test_an_outline_that_crosses_itself_is_filled_by_the_even_odd_rule(annotated: AnnotatedSet) -> None:
    bow_tie = [2, 2, 22, 22, 22, 2, 2, 22]
    mask_HW = write(annotated, [bow_tie]).mask(COCO)
    assert mask_HW[12, 3] and mask_HW[12, 20] and not mask_HW[3, 12]


def test_what_lies_outside_the_image_is_cut_off(annotated: AnnotatedSet) -> None:
    mask_HW = write(annotated, [square(-10, -10, 15)]).mask(COCO)
    assert np.array_equal(mask_HW, filled(0, 0, 5))


def test_a_polygon_without_area_covers_nothing(annotated: AnnotatedSet) -> None:
    write(annotated, [[2, 2, 4, 4, 6, 6]], [square()])
    assert np.array_equal(annotated.mask(COCO), filled())


def test_thousands_of_vertices(annotated: AnnotatedSet) -> None:
    angles = np.linspace(0, 2 * np.pi, 20_000)
    circle = np.stack([16 + 8 * np.cos(angles), 12 + 8 * np.sin(angles)], 1).ravel().tolist()
    assert abs(int(write(annotated, [circle]).mask(COCO).sum()) - np.pi * 64) < 8


@pytest.mark.parametrize(
    ("crowd", "expected"), [("void", {0: 704, 255: 64}), ("class", {0: 704, 1: 64}), ("skip", {0: 768})]
)
def test_a_crowd_is_void_a_class_or_skipped(annotated: AnnotatedSet, crowd: str, expected: dict[int, int]) -> None:
    write(annotated, {"segmentation": [square()], "iscrowd": 1})
    values, pixels = np.unique(annotated.mask(COCO | {"crowd": crowd}), return_counts=True)
    assert dict(zip(values.tolist(), pixels.tolist(), strict=True)) == expected


def test_a_crowd_does_not_hide_the_instances_in_it(annotated: AnnotatedSet) -> None:
    write(annotated, [square(6, 6, 2)], {"segmentation": [square()], "iscrowd": 1})
    assert np.array_equal(annotated.mask(COCO), np.where(filled(6, 6, 2), 1, filled(value=VOID)))


CAT, DOG = {"segmentation": [square(2, 2, 10)]}, {"segmentation": [square(6, 6, 10)], "category_id": 8}
SMALL_DOG = {"segmentation": [square(4, 4, 4)], "category_id": 8}


@pytest.mark.parametrize(
    ("first", "second", "settings", "shared"),
    [
        (CAT, DOG, {}, 2),
        (DOG, CAT, {}, 1),
        (DOG, CAT, {"draw_order": ["cat", "dog"]}, 2),
        (CAT, SMALL_DOG, {"overlap": "larger"}, 1),
        (SMALL_DOG, CAT, {"overlap": "smaller"}, 2),
        (CAT, DOG, {"overlap": "void"}, VOID),
        (CAT, CAT, {"overlap": "void"}, 1),
        (CAT, DOG, {"overlap": "void", "draw_order": ["dog", "cat"]}, 1),
    ],
)
def test_who_has_the_pixels_that_two_annotations_cover(
    annotated: AnnotatedSet, first: Any, second: Any, settings: dict[str, Any], shared: int
) -> None:
    assert write(annotated, first, second).mask(COCO | settings)[7, 7] == shared


def test_names_are_mapped_to_classes(annotated: AnnotatedSet) -> None:
    write(annotated, [square()], DOG)
    mapped = {"class_map": {"cat": "dog", "dog": "void"}}
    assert np.array_equal(annotated.mask(COCO | mapped), np.where(filled(6, 6, 10), VOID, filled(value=2)))
    assert np.array_equal(annotated.mask(COCO | {"class_map": {"dog": "skip"}}), filled())


def test_an_unknown_class_is_quarantined_void_or_skipped(annotated: AnnotatedSet) -> None:
    categories = [{"id": 7, "name": "cat"}, {"id": 8, "name": "cow"}]
    write(annotated, [square()], {"segmentation": [square(16, 4)], "category_id": 8}, categories=categories)
    reason, text = detail(annotated)
    assert reason is Reason.UNKNOWN_LABEL
    assert "annotation 11 has the class 'cow'" in text and "class_map: {cow: dog}" in text
    assert annotated.mask(COCO | {"unknown": "void"})[6, 18] == VOID
    assert annotated.mask(COCO | {"unknown": "skip"})[6, 18] == 0


def test_pixels_without_annotation_are_of_the_class_that_is_asked_for(annotated: AnnotatedSet) -> None:
    write(annotated, [square()])
    assert annotated.mask(COCO | {"background": "dog"})[0, 0] == 2
    assert annotated.mask(COCO | {"background": "void"})[0, 0] == VOID


def test_an_image_without_annotations_is_quarantined_or_background(annotated: AnnotatedSet) -> None:
    write(annotated)
    reason, text = detail(annotated)
    assert reason is Reason.MISSING_MASK and "unannotated: background" in text
    assert not annotated.mask(COCO | {"unannotated": "background"}).any()


NAN = float("nan")


@pytest.mark.parametrize(
    ("segmentation", "text"),
    [
        ([], "annotation 10 has no segmentation"),
        (None, "annotation 10 has no segmentation"),
        ([[1, 2, 3, 4]], "annotation 10 has a polygon of 2 points"),
        ([[1, 2, 3, 4, 5, 6, 7]], "annotation 10 has a polygon of 7 numbers"),
        ([[1, 2, "3", 4, 5, 6]], "annotation 10 has a polygon that is not a list of numbers"),
        ([[1, 2, NAN, 4, 5, 6]], "annotation 10 has a coordinate that is not a finite number"),
        ([[1, 2, 10**400, 4, 5, 6]], "annotation 10 has a coordinate that is not a finite number"),
        ([[1, 2, 1e9, 4, 5, 6]], "annotation 10 has the coordinate 1e+09, far outside"),
        ([square(100, 100)], "annotation 10 lies outside the image of 32×24 pixels: it begins at (100, 100)"),
        ([[0, 0, 32, 24] * 40_000], "annotation 10 has an outline of 2560000 pixels, over the limit"),
        ({"size": [HEIGHT, WIDTH], "counts": [10, 10]}, "annotation 10 has runs of 20 pixels in all"),
        ({"size": [HEIGHT, WIDTH], "counts": [800, -32]}, "annotation 10 has a run length that is not"),
        ({"size": [HEIGHT, WIDTH], "counts": [1 << 60]}, "annotation 10 has runs of 1152921504606846976 pixels"),
        ({"size": [WIDTH, HEIGHT], "counts": [768]}, "annotation 10 is encoded for 24×32 pixels"),
        ({"size": [HEIGHT, WIDTH], "counts": "\u007f\u007f"}, "annotation 10 has a compressed run-length encoding"),
        ({"size": [HEIGHT, WIDTH], "counts": "PPPPPPPPPPP"}, "annotation 10 has a compressed run-length encoding"),
        ({"size": [HEIGHT], "counts": [768]}, "annotation 10 has a run-length encoding without a size"),
        ({"size": [HEIGHT, WIDTH], "counts": None}, "annotation 10 has a run-length encoding without counts"),
    ],
)
def test_a_geometry_that_cannot_be_drawn_is_quarantined(annotated: AnnotatedSet, segmentation: Any, text: str) -> None:
    reason, found = detail(write(annotated, segmentation))
    assert reason is Reason.BAD_ANNOTATION
    assert text in found


@pytest.mark.parametrize(
    ("file", "reason", "text"),
    [
        ("/etc/a.png", Reason.OUTSIDE_ROOT, "is an absolute path"),
        ("C:\\data\\a.png", Reason.OUTSIDE_ROOT, "is an absolute path"),
        ("https://example.org/a.png", Reason.OUTSIDE_ROOT, "is a URL"),
        ("../a.png", Reason.OUTSIDE_ROOT, "contains '..'"),
        ("..\\a.png", Reason.OUTSIDE_ROOT, "contains '..'"),
        ("b.png", Reason.MISSING_IMAGE, "does not exist below the root"),
        ("", Reason.BAD_ROW, "image 1 of annotations/instances.json has no file_name"),
    ],
)
def test_a_name_that_leads_nowhere_is_quarantined(
    annotated: AnnotatedSet, file: str, reason: Reason, text: str
) -> None:
    images = [{"id": 1, "file_name": file, "width": WIDTH, "height": HEIGHT}]
    found = detail(write(annotated, [square()], images=images))
    assert found[0] is reason
    assert text in found[1]


@pytest.mark.parametrize("file", ["images\\a.png", "{root}/images/a.png"])
def test_windows_separators_and_absolute_paths_below_the_root_are_taken(annotated: AnnotatedSet, file: str) -> None:
    file = file.format(root=annotated.root)
    write(annotated, [square()], images=[{"id": 1, "file_name": file, "width": WIDTH, "height": HEIGHT}])
    assert list(annotated.masks(COCO)) == ["images/a"]


def test_an_image_that_two_entries_name_is_quarantined(annotated: AnnotatedSet) -> None:
    images = [{"id": key, "file_name": "a.png", "width": WIDTH, "height": HEIGHT} for key in (1, 2)]
    [one, other] = write(annotated, [square()], images=images).survey(COCO | {"unannotated": "background"})[1]
    assert one.reason is other.reason is Reason.AMBIGUOUS_NAME
    assert "names the image images/a.png, as 1 other entries do" in one.detail


def test_an_id_that_two_images_have_is_quarantined(annotated: AnnotatedSet) -> None:
    annotated.photo("images/b.png")
    images = [{"id": 1, "file_name": file, "width": WIDTH, "height": HEIGHT} for file in ("a.png", "b.png")]
    entries = write(annotated, [square()], images=images).survey(COCO)[1]
    assert [entry.reason for entry in entries] == [Reason.AMBIGUOUS_NAME] * 2
    assert "has the id 1, which 2 images have" in entries[0].detail


def test_annotation_ids_that_occur_twice_and_annotations_of_no_image_are_reported(annotated: AnnotatedSet) -> None:
    write(annotated, {"segmentation": [square()], "id": 5}, {"segmentation": [square()], "id": 5}, {"image_id": 99})
    notes = annotated.survey(COCO)[0].notes
    assert "annotations/instances.json: annotation ids that occur more than once: 1, such as 5" in notes
    assert "annotations/instances.json: annotations of images that it does not list: 1, such as annotation 12" in notes


def test_a_key_that_is_written_twice_is_quarantined(annotated: AnnotatedSet) -> None:
    write(annotated, [square()])
    file = annotated.root / "annotations/instances.json"
    file.write_text(file.read_text().replace('"category_id": 7', '"category_id": 7, "category_id": 8'))
    reason, text = detail(annotated)
    assert reason is Reason.BAD_ANNOTATION
    assert "annotation 10 has the key 'category_id' twice" in text


def test_a_size_that_is_not_the_images_is_quarantined(annotated: AnnotatedSet) -> None:
    images = [{"id": 1, "file_name": "a.png", "width": 2 * WIDTH, "height": 2 * HEIGHT}]
    reason, text = detail(write(annotated, [square()], images=images))
    assert reason is Reason.SIZE_MISMATCH
    assert "the annotations are for 64×48 pixels, the image has 32×24" in text


def test_annotations_of_the_stored_pixels_are_turned_with_their_image(annotated: AnnotatedSet) -> None:
    exif = photo().getexif()
    exif[0x0112] = 6
    write(annotated, [square(0, 0, 8)], images=[{"id": 1, "file_name": "a.jpg", "width": WIDTH, "height": HEIGHT}])
    annotated.write("images/a.jpg", encode(photo(), "JPEG", exif=exif))
    mask_HW = annotated.mask(COCO)
    assert mask_HW.shape == (WIDTH, HEIGHT)
    assert mask_HW[:8, -8:].all() and mask_HW.sum() == 64


def test_files_are_splits_and_images_lie_in_several_folders(annotated: AnnotatedSet) -> None:
    for name, split in (("a", "train"), ("b", "val")):
        annotated.photo(f"{split}2017/{name}.png")
        images = [{"id": 1, "file_name": f"{name}.png", "width": WIDTH, "height": HEIGHT}]
        annotated.write(f"annotations/instances_{split}2017.json", coco([square()], images=images))
    splits = {"annotations/*_train2017.json": "train", "annotations/*_val2017.json": "test"}
    summary, quarantined = annotated.survey(COCO | {"images": ["train2017", "val2017"], "splits": splits})
    assert not quarantined
    assert summary.used == {"train": 1, "eval": 0, "test": 1}


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"hello", "is not JSON"),
        (b"\xff\xfe{", "is not UTF-8"),
        (b"[" * 100_000, "is nested too deeply"),
        (b"[]", "is not a COCO file: it is a list"),
        (b'{"images": []}', "it has no list 'annotations', but images"),
        (b'{"images": [], "images": []}', "has the key 'images' twice"),
        (coco(categories=[{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]), "have the same id 1"),
        (coco(categories=[{"id": 1}]), "category number 1 has no name"),
        (coco(images=[]), "lists no image"),
    ],
)
def test_a_file_that_is_not_cocos_is_refused(annotated: AnnotatedSet, content: Any, text: str) -> None:
    annotated.write("annotations/instances.json", content)
    with pytest.raises(UserError, match=text):
        annotated.survey(COCO)


def test_no_annotation_file(annotated: AnnotatedSet) -> None:
    annotated.photo("images/a.png")
    with pytest.raises(
        UserError, match=r"no annotation file matches annotations/\*.json below .*set data.source.files"
    ):
        annotated.survey(COCO)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"class_map": {"cat": "cow"}}, r"source.class_map\['cat'\] names 'cow', which is not among background"),
        ({"background": "skip"}, "source.background names 'skip'"),
        ({"draw_order": ["cow"]}, "source.draw_order names 'cow'"),
        ({"splits": {"*": "val"}}, "unknown split 'val'"),
        ({"files": ["{date}/*.json", "*.json"]}, "must have the same dates"),
    ],
)
def test_settings_that_do_not_fit_are_refused(annotated: AnnotatedSet, settings: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        annotated.config(COCO | settings)


@pytest.mark.parametrize("name", ["void", "skip"])
def test_classes_do_not_have_names_with_a_meaning(annotated: AnnotatedSet, name: str) -> None:
    with pytest.raises(ValueError, match=f"a class cannot be named '{name}' with annotations"):
        annotated.config(COCO, classes=("background", name))


def test_labels_are_for_mask_files(annotated: AnnotatedSet) -> None:
    with pytest.raises(ValueError, match="labels are for mask files; a source of type coco"):
        annotated.config(COCO, labels={"type": "threshold"}, classes=("background", "cat"))


def test_the_fingerprint_changes_with_annotations_and_images(annotated: AnnotatedSet) -> None:
    from components.example_gen.sources import data_fingerprint

    config = write(annotated, [square()]).config(COCO).source
    first = data_fingerprint(config)
    assert data_fingerprint(config) == first
    annotated.write("annotations/instances.json", coco([square(5)]))
    second = data_fingerprint(config)
    annotated.photo("images/a.png", 40)
    assert len({first, second, data_fingerprint(config)}) == 3
