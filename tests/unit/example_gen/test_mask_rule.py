"""Whatever the file, its mask is set aside with a reason, or is what a viewer shows, by the rule of docs/data.md."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.records import VOID
from components.example_gen.config import ColourLabels, IndexLabels, Labels, ThresholdLabels, ValueLabels
from components.example_gen.images import canonical_image
from components.example_gen.label_map import label_map
from components.example_gen.masks import canonical_mask
from components.example_gen.rejection import RejectionError
from tests.support.data_set import CLASSES, encode, photo
from tests.support.mask_files import WHITES, MaskFile, mask_files

LIMIT = 10_000
LABELS: tuple[Labels, ...] = (
    IndexLabels(),
    ValueLabels(classes={0: "background", 255: "thing", 128: "other"}, void=(1,)),
    ValueLabels(classes={0: "background", 1000: "thing", 65_535: "other"}),
    ColourLabels(classes={"#000000": "background", "#ff0000": "thing", "#00ff00": "other"}, void=("#ffffff",)),
    ThresholdLabels(),
    ThresholdLabels(at=1),
    ThresholdLabels(at=200),
)


def expected(file: MaskFile, labels: Labels) -> np.ndarray | None:
    """The mask by the rule, pixel by pixel; None where the file holds nothing that the labels can mean."""
    if isinstance(labels, ThresholdLabels):
        grey, white = _grey(file)
        if labels.at == 1:
            return (grey > 0).astype(np.uint8)
        limits = {np.floor(labels.at * w / 255 - w / 510 + 1e-9) for w in _whites(grey, white)}
        masks = [(grey >= (labels.at - 0.5) * w / 255).astype(np.uint8) for w in _whites(grey, white)]
        same = len(limits) == 1 or all((mask == masks[0]).all() for mask in masks)
        return masks[0] if same else None
    meaning = _meaning(labels)
    rows = _colours(file) if isinstance(labels, ColourLabels) else _values(file)
    if rows is None or not all(value in meaning for value in rows.ravel().tolist()):
        return None
    return np.vectorize(meaning.__getitem__)(rows).astype(np.uint8)


def _meaning(labels: Labels) -> dict[object, int]:
    if isinstance(labels, IndexLabels):
        return {0: 0, 1: 1, 2: 2, 255: VOID}
    assert isinstance(labels, (ValueLabels, ColourLabels))
    named: dict[object, int] = {key: CLASSES.index(name) for key, name in labels.classes.items()}
    return named | dict.fromkeys(labels.void, VOID)


def _values(file: MaskFile) -> np.ndarray | None:
    if file.grey_HW is not None:
        return file.grey_HW
    if file.index_HW is not None:
        coloured = any(len({*colour}) > 1 for colour in file.palette)
        if coloured or not any(map(any, file.palette)):
            return file.index_HW
        return np.array([colour[0] for colour in file.palette])[file.index_HW]
    assert file.colour_HW3 is not None
    grey = file.colour_HW3[..., 0]
    return grey if (file.colour_HW3 == grey[..., None]).all() else None


def _colours(file: MaskFile) -> np.ndarray | None:
    if file.grey_HW is not None:
        if file.bits == 16 and (file.grey_HW % 257).any():
            return None
        shown = np.repeat((file.grey_HW * (255 / WHITES[file.bits])).astype(int)[..., None], 3, -1)
    elif file.index_HW is not None:
        shown = np.array(file.palette)[file.index_HW]
    else:
        assert file.colour_HW3 is not None
        shown = file.colour_HW3
    return np.array([["#" + bytes(int(v) for v in pixel).hex() for pixel in row] for row in shown], object)


def _grey(file: MaskFile) -> tuple[np.ndarray, int]:
    if file.grey_HW is not None:
        return file.grey_HW.astype(int), WHITES[file.bits]
    shown = np.array(file.palette)[file.index_HW] if file.index_HW is not None else file.colour_HW3
    assert shown is not None
    weights = np.array([19_595, 38_470, 7_471])  # ITU-R BT.601 in 16 bits, as Pillow rounds.
    return (shown.astype(int) @ weights + 0x8000) >> 16, 255


def _whites(grey: np.ndarray, white: int) -> list[int]:
    if white < 65_535:
        return [white]
    known = [255, 1023, 4095, 16_383, 65_535]
    return [int(grey.max())] if grey.max() in known else [one for one in known if one > grey.max()]


@settings(deadline=None, max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(mask_files(), st.sampled_from(LABELS))
def test_a_mask_is_set_aside_or_is_what_a_viewer_shows(file: MaskFile, labels: Labels) -> None:
    shown = file.shown()
    height, width = shown.shape[:2]
    image = canonical_image(encode(photo(width, height)), LIMIT)
    names = CLASSES[:2] if isinstance(labels, ThresholdLabels) else CLASSES
    wanted = expected(file, labels)
    try:
        mask_HW = canonical_mask(file.data, image, label_map(labels, names), LIMIT, 0.01).mask_HW
    except RejectionError as rejected:
        assert rejected.cause and rejected.remedy, file.what
        return
    assert wanted is not None, f"{file.what}: not refused"
    np.testing.assert_array_equal(mask_HW, wanted, file.what)
    if isinstance(labels, ThresholdLabels) and mask_HW.min() == mask_HW.max():
        assert len(np.unique(shown.reshape(-1, 4), axis=0)) == 1, f"{file.what}: a shape is lost"
    hidden = shown[..., 3] == 0
    assert not {*mask_HW[hidden].tolist()} & {*mask_HW[~hidden].tolist()}, f"{file.what}: a shape in alpha is lost"


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(mask_files())
def test_opaque_files_with_two_known_values_are_never_set_aside(file: MaskFile) -> None:
    labels = IndexLabels()
    wanted = expected(file, labels)
    if wanted is None or file.lossy or file.alpha_HW is not None or (wanted == VOID).all():
        return
    if file.index_HW is not None and file.palette == tuple([(0, 0, 0), (128, 128, 128)] * 2):
        return
    height, width = wanted.shape
    image = canonical_image(encode(photo(width, height)), LIMIT)
    taken = canonical_mask(file.data, image, label_map(labels, CLASSES), LIMIT, 0.01)
    np.testing.assert_array_equal(taken.mask_HW, wanted, file.what)


@pytest.mark.parametrize("labels", LABELS, ids=lambda labels: f"{labels.type}")
def test_an_empty_mask_is_all_background_for_every_type_of_labels(labels: Labels) -> None:
    names = CLASSES[:2] if isinstance(labels, ThresholdLabels) else CLASSES
    image = canonical_image(encode(photo()), LIMIT)
    for dtype in (np.uint8, np.uint16):
        taken = canonical_mask(encode(np.zeros((24, 32), dtype)), image, label_map(labels, names), LIMIT, 0.01)
        assert not taken.mask_HW.any()
