"""Warnings of objects that resizing would lose."""

from __future__ import annotations

import numpy as np

from components.example_gen.object_sizes import ObjectSizes
from components.transform.config import TransformConfig

CLASSES = ("background", "nucleus")


def squares(side: int, size: tuple[int, int] = (256, 256)) -> np.ndarray:
    """Three squares of class 1, and a void pixel."""
    mask_HW = np.zeros(size, np.uint8)
    for left in (10, 80, 160):
        mask_HW[20 : 20 + side, left : left + side] = 1
    mask_HW[0, 0] = 255
    return mask_HW


def warnings_of(*masks: tuple[np.ndarray, str], **transform: object) -> list[str]:
    sizes = ObjectSizes(TransformConfig(**transform), CLASSES)  # type: ignore[arg-type]
    for mask_HW, kind in masks:
        sizes.add(mask_HW, {"kind": kind})
    return list(sizes.warnings())


def test_a_class_whose_median_object_becomes_too_small_is_named_with_its_slices() -> None:
    [warning] = warnings_of((squares(6), "light"), height=128, width=128)
    assert warning.startswith("transform: resized to 128×128, the median object of class 'nucleus' is 3.0 pixels wide")
    assert "(kind=light 3.0)" in warning
    assert "use transform.mode crop" in warning


def test_a_slice_alone_is_named() -> None:
    many = [(squares(40), "dark")] * 3
    [warning] = warnings_of(*many, (squares(20, (1024, 1024)), "light"), height=128, width=128)
    assert "is 20.0 pixels wide (kind=light 2.5)" in warning


def test_large_objects_give_no_warning() -> None:
    assert not warnings_of((squares(9), "dark"), height=128, width=128)


def test_a_letterbox_shrinks_by_its_smaller_factor() -> None:
    mask_HW = squares(9, (256, 1024))
    assert not warnings_of((mask_HW, "dark"), height=128, width=1024)
    assert warnings_of((mask_HW, "dark"), height=128, width=256, aspect="letterbox")


def test_images_that_keep_their_size_give_no_warning() -> None:
    assert not warnings_of((squares(2), "dark"), mode="crop", height=128, width=128)
