"""Pascal VOC and Cityscapes: their folders, lists, values and void."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from common.errors import UserError
from common.records import VOID
from components.example_gen.annotations.class_tables import CITYSCAPES, VOC
from components.example_gen.quarantine import Reason
from tests.support.annotated_set import AnnotatedSet, png_of
from tests.support.data_set import blocks, encode, photo

VOC_SOURCE = {"type": "voc"}
CITY_SOURCE = {"type": "cityscapes"}
ALL_VOC = {"classes": tuple(VOC.values())}
ALL_CITY = {"classes": tuple(CITYSCAPES.values())}


def palette_mask(*values: int) -> bytes:
    image = Image.fromarray(blocks(values=values))
    image.putpalette([channel for index in range(256) for channel in (index, 255 - index, 7 * index % 256)])
    return encode(image)


def write_voc(annotated: AnnotatedSet, *values: int, **lists: str) -> AnnotatedSet:
    for number, name in enumerate(("2007_1", "2007_2")):
        annotated.write(f"JPEGImages/{name}.jpg", encode(photo(seed=number), "JPEG"))
        annotated.write(f"SegmentationClass/{name}.png", palette_mask(*values or (0, 8, 255)))
    for split, text in ({"train": "2007_1\n", "val": "2007_2\n"} | lists).items():
        annotated.write(f"ImageSets/Segmentation/{split}.txt", text)
    return annotated


def write_city(annotated: AnnotatedSet, *values: int) -> AnnotatedSet:
    for split, city in (("train", "bonn"), ("train", "ulm"), ("val", "jena")):
        for number in range(3):
            name = f"{city}/{city}_00000{number}_000019"
            annotated.photo(f"leftImg8bit/{split}/{name}_leftImg8bit.png")
            annotated.write(f"gtFine/{split}/{name}_gtFine_labelIds.png", png_of(blocks(values=values or (7, 26, 4))))
            annotated.write(f"gtFine/{split}/{name}_gtFine_polygons.json", "{}")
            annotated.write(f"gtFine/{split}/{name}_gtFine_color.png", png_of(blocks()))
    return annotated


def test_voc_has_palette_indices_and_void_borders(annotated: AnnotatedSet) -> None:
    masks = write_voc(annotated).masks(VOC_SOURCE, **ALL_VOC)
    assert sorted(masks) == ["2007_1", "2007_2"]
    assert np.array_equal(masks["2007_1"], blocks(values=(0, 8, VOID)))


def test_voc_has_its_own_splits(annotated: AnnotatedSet) -> None:
    summary, quarantined = write_voc(annotated).survey(VOC_SOURCE, **ALL_VOC)
    assert not quarantined
    assert summary.used["test"] == 1


def test_some_classes_of_voc(annotated: AnnotatedSet) -> None:
    source = VOC_SOURCE | {"class_map": {"person": "dog"}, "others": "void"}
    masks = write_voc(annotated, 8, 12, 15, 1).masks(source, classes=("background", "cat", "dog"))
    assert np.array_equal(masks["2007_1"], blocks(values=(1, 2, 2, VOID)))


def test_names_without_files_and_in_two_lists(annotated: AnnotatedSet) -> None:
    write_voc(annotated, train="2007_1\n2007_3\n", val="2007_1\n2007_2 1\n")
    assert annotated.reasons(VOC_SOURCE, **ALL_VOC) == {
        "2007_1": Reason.AMBIGUOUS_NAME,
        "2007_3": Reason.MISSING_IMAGE,
    }


def test_a_name_that_leaves_the_root(annotated: AnnotatedSet) -> None:
    write_voc(annotated, train="2007_1\n../../secret\n")
    assert annotated.reasons(VOC_SOURCE, **ALL_VOC) == {"../../secret": Reason.OUTSIDE_ROOT}


def test_a_list_that_is_missing(annotated: AnnotatedSet) -> None:
    with pytest.raises(
        UserError, match=r"no list ImageSets/Segmentation/valid.txt .* where there is train.txt, val.txt"
    ):
        write_voc(annotated).survey(VOC_SOURCE | {"splits": {"valid": "eval"}}, **ALL_VOC)


def test_cityscapes_has_ids_of_which_some_are_void(annotated: AnnotatedSet) -> None:
    masks = write_city(annotated).masks(CITY_SOURCE, **ALL_CITY)
    assert len(masks) == 9
    assert np.array_equal(masks["jena/jena_000000_000019"], blocks(values=(0, 13, VOID)))


def test_a_city_is_never_in_two_splits(annotated: AnnotatedSet) -> None:
    summary, quarantined = write_city(annotated).survey(CITY_SOURCE, **ALL_CITY)
    assert not quarantined
    assert summary.used["test"] == 3
    assert {summary.used["train"], summary.used["eval"]} <= {0, 3, 6}


def test_what_cityscapes_ignores_can_be_asked_for(annotated: AnnotatedSet) -> None:
    source = CITY_SOURCE | {"others": "void", "class_map": {"static": "thing"}}
    masks = write_city(annotated).masks(source, classes=("road", "thing"))
    assert np.array_equal(masks["jena/jena_000000_000019"], blocks(values=(0, VOID, 1)))


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({}, "neither among data.classes nor in source.class_map: aeroplane, .*; write others: void under data.source"),
        ({"others": "cow"}, "source.others names 'cow'"),
        ({"others": "void", "class_map": {"person": "cow"}}, r"source.class_map\['person'\] names 'cow'"),
        ({"others": "void", "class_map": {"road": "cat"}}, "names 'road', which is not a class of this data set"),
        ({"others": "void", "splits": {"val": "validation"}}, "unknown split 'validation'"),
    ],
)
def test_settings_that_do_not_fit_are_refused(annotated: AnnotatedSet, settings: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        annotated.config(VOC_SOURCE | settings)


def test_labels_are_known(annotated: AnnotatedSet) -> None:
    with pytest.raises(ValueError, match="labels are for mask files; a source of type voc"):
        annotated.config(VOC_SOURCE, labels={"type": "index", "offset": 1}, **ALL_VOC)
