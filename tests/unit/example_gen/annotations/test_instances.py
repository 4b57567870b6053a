"""Several mask files an image: one file an object."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from common.errors import UserError
from common.records import VOID
from components.example_gen.quarantine import Reason
from tests.support.annotated_set import AnnotatedSet, filled, png_of

NUCLEI = {"type": "instances", "masks": {"cat": ["*/masks/*"]}}
"""Folders as the Data Science Bowl of 2018 has them."""
PETS = {"type": "instances", "images": ["images/*"], "masks": {"cat": ["cats/**"], "dog": ["dogs/**"]}}


def test_the_masks_of_a_folder_belong_to_its_image(annotated: AnnotatedSet) -> None:
    for name in ("one", "two"):
        annotated.photo(f"{name}/images/{name}.png")
        annotated.write(f"{name}/masks/0.png", png_of(filled(value=255)))
        annotated.write(f"{name}/masks/1.png", png_of(filled(16, 4, value=255)))
    masks = annotated.masks(NUCLEI)
    assert sorted(masks) == ["one/one", "two/two"]
    assert np.array_equal(masks["one/one"], filled() + filled(16, 4))


@pytest.mark.parametrize("names", [("a", "a"), ("a_0", "a_1"), ("a/0", "a/1"), ("a-cat", "a-dog")])
def test_masks_belong_to_the_image_by_name(annotated: AnnotatedSet, names: tuple[str, str]) -> None:
    annotated.photo("images/a.png")
    annotated.photo("images/ab.png")
    annotated.write(f"cats/{names[0]}.png", png_of(filled(value=1)))
    annotated.write(f"dogs/{names[1]}.png", png_of(filled(6, 6, value=255)))
    expected_HW = np.where(filled(6, 6), 2, filled())
    masks = annotated.masks(PETS)
    assert list(masks) == ["images/a"] or list(masks) == ["a"]
    assert np.array_equal(next(iter(masks.values())), expected_HW)


@pytest.mark.parametrize(("overlap", "shared"), [("later", 2), ("larger", 1), ("smaller", 2), ("void", VOID)])
def test_overlaps_go_to_the_later_the_larger_or_to_none(annotated: AnnotatedSet, overlap: str, shared: int) -> None:
    annotated.photo("images/a.png")
    annotated.write("cats/a_0.png", png_of(filled(4, 4, 10)))
    annotated.write("dogs/a_0.png", png_of(filled(8, 8, 8)))
    assert annotated.mask(PETS | {"overlap": overlap})[9, 9] == shared


@pytest.mark.parametrize(
    ("mask", "reason", "text"),
    [
        (
            png_of(np.zeros((8, 8), np.uint8)),
            Reason.SIZE_MISMATCH,
            "cats/a.png: has 8×8 pixels, but the image has 32×24",
        ),
        (b"hello", Reason.UNSUPPORTED_FORMAT, "cats/a.png: the file starts with b'hello'"),
        (b"", Reason.UNREADABLE, "cats/a.png: the file is empty"),
    ],
)
def test_a_mask_that_cannot_be_used_is_named(annotated: AnnotatedSet, mask: bytes, reason: Reason, text: str) -> None:
    annotated.photo("images/a.png")
    annotated.write("cats/a.png", mask)
    annotated.write("dogs/a.png", png_of(filled()))
    [entry] = annotated.survey(PETS)[1]
    assert entry.reason is reason
    assert text in entry.detail


def test_images_without_masks_and_masks_without_images(annotated: AnnotatedSet) -> None:
    for name in ("a", "b"):
        annotated.photo(f"images/{name}.png")
    annotated.write("cats/a.png", png_of(filled()))
    annotated.write("dogs/zoo/z.png", png_of(filled()))
    assert annotated.reasons(PETS) == {"b": Reason.MISSING_MASK, "zoo/z": Reason.MISSING_IMAGE}
    assert annotated.reasons(PETS | {"unannotated": "background"}) == {"zoo/z": Reason.MISSING_IMAGE}


def test_two_images_of_one_name(annotated: AnnotatedSet) -> None:
    annotated.photo("images/a.png")
    annotated.photo("images/a.bmp")
    annotated.write("cats/a.png", png_of(filled()))
    annotated.write("dogs/a.png", png_of(filled()))
    assert annotated.reasons(PETS) == {"a": Reason.AMBIGUOUS_NAME}


def test_globs_that_match_nothing_are_refused(annotated: AnnotatedSet) -> None:
    annotated.photo("images/a.png")
    with pytest.raises(UserError, match=r"no mask of cat matches cats/\*\* below .*, which holds images/"):
        annotated.survey(PETS)


@pytest.mark.parametrize("masks", [{}, {"cow": ["*"]}])
def test_masks_are_of_our_classes(annotated: AnnotatedSet, masks: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="source"):
        annotated.config(PETS | {"masks": masks})
