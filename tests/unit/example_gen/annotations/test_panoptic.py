"""COCO's panoptic annotations: PNGs whose colours are the ids of segments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from common.errors import UserError
from common.records import VOID
from components.example_gen.quarantine import Reason
from components.example_gen.sources import data_fingerprint
from tests.support.annotated_set import HEIGHT, WIDTH, AnnotatedSet, filled
from tests.support.data_set import encode

PANOPTIC = {"type": "coco", "panoptic": "panoptic"}
CAT, DOG = 70_001, 3


def write(annotated: AnnotatedSet, ids_HW: np.ndarray, *segments: Any, **changes: Any) -> AnnotatedSet:
    annotated.photo("images/a.png")
    channels = [ids_HW % 256, ids_HW // 256 % 256, ids_HW // 65_536]
    annotated.write("panoptic/a.png", encode(np.stack(channels, axis=-1).astype(np.uint8)))
    annotation = {"image_id": 1, "file_name": "a.png", "segments_info": list(segments)}
    whole = {
        "images": [{"id": 1, "file_name": "a.png", "width": WIDTH, "height": HEIGHT}],
        "annotations": [annotation | changes],
        "categories": [{"id": 1, "name": "cat", "isthing": 1}, {"id": 2, "name": "dog", "isthing": 0}],
    }
    annotated.write("annotations/panoptic.json", whole)
    return annotated


def segment(key: int, category: int, **changes: Any) -> dict[str, Any]:
    return {"id": key, "category_id": category, "iscrowd": 0, "area": 64, "bbox": [0, 0, 8, 8]} | changes


IDS_HW = filled().astype(np.int64) * CAT + filled(16, 4).astype(np.int64) * DOG


def test_colours_are_ids_of_segments(annotated: AnnotatedSet) -> None:
    mask_HW = write(annotated, IDS_HW, segment(CAT, 1), segment(DOG, 2)).mask(PANOPTIC)
    assert np.array_equal(mask_HW, filled() + filled(16, 4, value=2))
    assert annotated.mask(PANOPTIC | {"background": "void"})[0, 0] == VOID


def test_a_crowd_is_void(annotated: AnnotatedSet) -> None:
    mask_HW = write(annotated, IDS_HW, segment(CAT, 1), segment(DOG, 2, iscrowd=1)).mask(PANOPTIC)
    assert np.array_equal(mask_HW, filled() + filled(16, 4, value=VOID))


@pytest.mark.parametrize(
    ("segments", "changes", "reason", "text"),
    [
        ([segment(CAT, 1)], {}, Reason.BAD_ANNOTATION, "the PNG has segments (3) that segments_info does not list"),
        ([segment(CAT, 9)], {}, Reason.BAD_ANNOTATION, "segment 70001 has the category_id 9"),
        ([{"category_id": 1}], {}, Reason.BAD_ANNOTATION, "a segment has no id"),
        ([segment(CAT, 1)], {"file_name": None}, Reason.BAD_ANNOTATION, "the annotation has no file_name"),
        ([segment(CAT, 1)], {"file_name": "../a.png"}, Reason.OUTSIDE_ROOT, "contains '..'"),
        (
            [segment(CAT, 1)],
            {"file_name": "b.png"},
            Reason.MISSING_MASK,
            "exist below the root: panoptic/b.png",
        ),
        ([segment(CAT, 1)], {"image_id": 7}, Reason.MISSING_MASK, "has no annotation"),
        ([], {}, Reason.MISSING_MASK, "has no annotation"),
    ],
)
def test_what_cannot_be_used_is_quarantined(
    annotated: AnnotatedSet, segments: list[Any], changes: dict[str, Any], reason: Reason, text: str
) -> None:
    [entry] = write(annotated, IDS_HW, *segments, **changes).survey(PANOPTIC)[1]
    assert entry.reason is reason
    assert text in entry.detail


def test_a_png_of_another_size(annotated: AnnotatedSet) -> None:
    assert write(annotated, IDS_HW[:8], segment(CAT, 1)).reasons(PANOPTIC) == {"images/a": Reason.SIZE_MISMATCH}


def test_a_file_of_instances_is_refused(annotated: AnnotatedSet) -> None:
    with pytest.raises(UserError, match="is not a panoptic file: an annotation has no segments_info"):
        write(annotated, IDS_HW, segments_info=None).survey(PANOPTIC)


def test_the_fingerprint_changes_with_the_pngs(annotated: AnnotatedSet) -> None:
    source = write(annotated, IDS_HW, segment(CAT, 1), segment(DOG, 2)).config(PANOPTIC).source
    before = data_fingerprint(source)
    write(annotated, np.zeros_like(IDS_HW), segment(CAT, 1), segment(DOG, 2))
    assert data_fingerprint(source) != before
