"""Names that do not pair as the configuration says: paired, or named with what to write."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import pytest
import yaml

from common.errors import UserError
from components.example_gen.config import FoldersSource, ManifestSource
from components.example_gen.pairing import Listing
from components.example_gen.quarantine import Reason
from components.example_gen.sources import open_source
from tests.support.bucket import SCHEME
from tests.support.data_set import DataSet

IMAGES = [f"images/a{n}.jpg" for n in range(4)]
PRECOMPOSED, DECOMPOSED = (unicodedata.normalize(form, "fünf") for form in ("NFC", "NFD"))


def touch(data_set: DataSet, *paths: str) -> None:
    for path in paths:
        data_set.write(path, b"x")


def listing(data_set: DataSet, **settings: Any) -> Listing:
    return open_source(FoldersSource(root=str(data_set.root), **settings)).listing()


def lines_to_paste(sentence: str) -> dict[str, Any]:
    """The settings behind `write`."""
    written = re.search(r"write (.*?) under data\.source", sentence)
    assert written, sentence
    return {
        key: value for line in re.split(r" and (?=\w+: )", written[1]) for key, value in yaml.safe_load(line).items()
    }


@pytest.mark.parametrize(
    ("images", "masks", "settings"),
    [
        (IMAGES, [f"masks/a{n}_mask.png" for n in range(4)], {}),
        (IMAGES, [f"masks/a{n} mask.png" for n in range(4)], {}),
        (IMAGES, [f"masks/a{n}_mask.png" for n in range(4)], {"mask_suffix": "_label"}),
        (IMAGES, [f"masks/a{n}_gt_mask.png" for n in range(4)], {"mask_suffix": "_mask"}),
        (IMAGES, [f"masks/a{n}_label.png" for n in range(4)], {"mask_suffix": "_label.png"}),
        (IMAGES, [f"masks/mask_a{n}.png" for n in range(4)], {}),
        ([f"images/img_{n:03}.png" for n in range(4)], [f"masks/mask_{n:03}.png" for n in range(4)], {}),
        ([f"images/{n}_sat.jpg" for n in range(4)], [f"masks/{n}_mask.png" for n in range(4)], {}),
        ([f"images/train/{n}.png" for n in range(4)], [f"masks/train_labels/{n}_L.png" for n in range(4)], {}),
        ([f"images/{n}.png" for n in range(4)], [f"masks/gt/{n}.png" for n in range(4)], {}),
        ([f"images/u{n}/img_0.png" for n in range(4)], [f"masks/u{n}/lab_0.png" for n in range(4)], {}),
        (IMAGES, [f"masks/a{n}/mask.png" for n in range(4)], {}),
        (
            [f"a{n}.png" for n in range(4)],
            [f"a{n}_mask.png" for n in range(4)],
            {"images": ["*"], "masks": ["*"], "mask_suffix": "_msk"},
        ),
        ([f"a{n}.png" for n in range(4)], [f"a{n}_mask.png" for n in range(4)], {"images": ["*"], "masks": ["*"]}),
        (
            [f"a{n}.jpg" for n in range(4)],
            [f"a{n}_mask.png" for n in range(4)],
            {"images": ["*.jpg"], "masks": ["*.png"]},
        ),
        ([f"Images/{n}.png" for n in range(4)], [f"masks/{n}.png" for n in range(4)], {}),
    ],
)
def test_the_line_that_is_proposed_pairs_all(
    data_set: DataSet, images: list[str], masks: list[str], settings: dict[str, Any]
) -> None:
    touch(data_set, *images, *masks)
    with pytest.raises(UserError) as caught:
        listing(data_set, **settings)
    found = listing(data_set, **settings | lines_to_paste(str(caught.value)))
    assert sorted(pair.image for pair in found.pairs) == images
    assert sorted(pair.mask for pair in found.pairs) == masks
    assert not found.quarantined


def test_a_suffix_that_is_not_needed_is_refused(data_set: DataSet) -> None:
    touch(data_set, *IMAGES, *[f"masks/a{n}.png" for n in range(4)])
    with pytest.raises(UserError, match=r"no mask has the mask_suffix '_label'.*; 4 masks .* take mask_suffix out"):
        listing(data_set, mask_suffix="_label")


def test_a_file_without_the_suffix_is_not_a_mask(data_set: DataSet) -> None:
    touch(data_set, *IMAGES[:2], "masks/a0_mask.png", "masks/a1.png")
    found = listing(data_set, mask_suffix="_mask")
    assert [pair.id for pair in found.pairs] == ["a0"]
    assert {entry.image or entry.mask: entry.reason for entry in found.quarantined} == {
        "images/a1.jpg": Reason.MISSING_MASK,
        "masks/a1.png": Reason.MISSING_IMAGE,
    }
    assert "does not end with the mask_suffix '_mask'" in next(e.detail for e in found.quarantined if e.mask)


def test_a_glob_may_take_the_suffix_off_itself(data_set: DataSet) -> None:
    touch(data_set, *IMAGES, *[f"masks/a{n}_mask.png" for n in range(4)])
    assert len(listing(data_set, masks=("masks/*_mask.png",), mask_suffix="_mask").pairs) == 4


@pytest.mark.parametrize(
    "masks",
    [
        [f"masks/a{n}_mask_{k}.png" for n in range(4) for k in range(3)],
        [f"masks/a{n}/{k}.png" for n in range(4) for k in range(3)],
        [f"masks/{kind}/a{n}.png" for n in range(4) for kind in ("cat", "cow", "dog")],
        [f"masks/a{n}_{kind}.png" for n in range(4) for kind in ("cat", "cow", "dog")],
    ],
)
def test_several_masks_of_an_image_are_named_as_that(data_set: DataSet, masks: list[str]) -> None:
    touch(data_set, *IMAGES, *masks)
    words = r"3 masks belong to the image images/a0.jpg by their names .*; one mask for each image is needed: merge"
    with pytest.raises(UserError, match=words):
        listing(data_set)
    touch(data_set, *[f"images/b{n}.jpg" for n in range(30)], *[f"masks/b{n}.png" for n in range(30)])
    found = listing(data_set)
    assert len(found.pairs) == 30
    assert {entry.reason for entry in found.quarantined} == {Reason.AMBIGUOUS_NAME}
    assert {entry.cause for entry in found.quarantined} == {"several masks belong to one image by their names"}
    assert len(found.quarantined) == 16


def test_masks_in_a_folder_with_their_one_image_are_named_too(data_set: DataSet) -> None:
    for n in range(3):
        touch(data_set, f"train/{n}f/images/{n}f.png", *[f"train/{n}f/masks/{k}{n}e.png" for k in range(3)])
    with pytest.raises(UserError, match=r"3 masks belong to the image train/0f/images/0f.png"):
        listing(data_set, images=("train/*/images/*.png",), masks=("train/*/masks/*.png",))


def test_numbers_are_not_taken_for_parts_of_each_other(data_set: DataSet) -> None:
    touch(data_set, *[f"images/{n}.png" for n in range(1, 12)], *[f"masks/{n}.png" for n in range(2, 14)])
    found = listing(data_set)
    assert len(found.pairs) == 10
    assert {entry.id: entry.reason for entry in found.quarantined} == {
        "1": Reason.MISSING_MASK,
        "12": Reason.MISSING_IMAGE,
        "13": Reason.MISSING_IMAGE,
    }


@pytest.mark.parametrize(
    ("image", "mask", "what"),
    [
        ("images/IMG_1.JPG", "masks/img_1.png", "case"),
        (f"images/{PRECOMPOSED}.png", f"masks/{DECOMPOSED}.png", "Unicode form"),
        (f"images/{PRECOMPOSED}.png", f"masks/{DECOMPOSED.upper()}.png", "case"),
        (f"images/{PRECOMPOSED}/1.png", f"masks/{DECOMPOSED}/1.png", "Unicode form"),
    ],
)
def test_names_that_differ_in_case_or_form_only_are_paired_and_counted(
    data_set: DataSet, image: str, mask: str, what: str
) -> None:
    touch(data_set, image, mask, "images/b.png", "masks/b.png")
    found = listing(data_set)
    assert {(pair.image, pair.mask) for pair in found.pairs} == {(image, mask), ("images/b.png", "masks/b.png")}
    assert [note.startswith(f"pairs whose names differ in {what} only: 1, such as") for note in found.notes] == [True]


def test_names_that_several_files_share_but_for_case_are_ambiguous(data_set: DataSet) -> None:
    touch(data_set, "images/IMG_1.png", "images/Img_1.png", "masks/img_1.png", "images/b.png", "masks/b.png")
    found = listing(data_set)
    assert [pair.id for pair in found.pairs] == ["b"]
    assert [entry.reason for entry in found.quarantined] == [Reason.AMBIGUOUS_NAME] * 3
    assert "images/IMG_1.png, images/Img_1.png, masks/img_1.png" in found.quarantined[0].detail


def test_equal_names_come_before_those_that_nearly_are(data_set: DataSet) -> None:
    touch(data_set, "images/A.png", "images/a.png", "masks/A.png", "masks/a.png")
    found = listing(data_set)
    assert {(pair.image, pair.mask) for pair in found.pairs} == {
        ("images/A.png", "masks/A.png"),
        ("images/a.png", "masks/a.png"),
    }
    assert not found.notes


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("images/A0.JPG", "there is images/a0.jpg, which differs in case only"),
        ("Images/a0.jpg", "there is images/a0.jpg, which differs in case only"),
        ("images/a0.png", "there is images/a0.jpg"),
        ("images/a0", "there is images/a0.jpg"),
        ("data/images/a0.jpg", "images/a0.jpg exists below the root, so take 'data/' off the paths"),
        ("images\\a0.jpg", "write / instead of"),
    ],
)
def test_a_manifest_that_nearly_names_a_file_is_told_which(data_set: DataSet, path: str, words: str) -> None:
    touch(data_set, *IMAGES, "masks/m.png")
    data_set.write("index.csv", f"image,mask\n{path},masks/m.png\n".encode())
    [entry] = open_source(ManifestSource(root=str(data_set.root))).listing().quarantined
    assert entry.reason is Reason.MISSING_IMAGE
    assert words in entry.detail


@pytest.mark.parametrize("scheme", ["", f"{SCHEME}:/"])
def test_a_manifest_may_write_names_in_another_unicode_form(data_set: DataSet, scheme: str) -> None:
    touch(data_set, f"images/{DECOMPOSED}.png", f"masks/{PRECOMPOSED}/1.png")
    text = f"image,mask\nimages/{PRECOMPOSED}.png,masks/{DECOMPOSED}/1.png\n"
    data_set.write("index.csv", text.encode())
    found = open_source(ManifestSource(root=f"{scheme}{data_set.root}")).listing()
    assert [(pair.image, pair.mask) for pair in found.pairs] == [
        (f"images/{DECOMPOSED}.png", f"masks/{PRECOMPOSED}/1.png")
    ]
    assert any("in Unicode form only: 2" in note for note in found.notes)
