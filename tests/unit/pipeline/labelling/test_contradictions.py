"""Evidence and contradicted regions against plain loops."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given, settings
from hypothesis import strategies as st

from common.records import VOID
from pipeline.labelling.contradictions import Contradiction, contradictions
from pipeline.labelling.evidence import Evidence
from pipeline.labelling.suspicion import Pair, Suspicion, judge_mask
from pipeline.scene.scene_file import Window

CLASSES = ("background", "red", "blue")
PAIR = Pair("a", "train", "trained on")


def evidence_of(label_HW: np.ndarray, map_HWC: np.ndarray) -> Evidence:
    """Collected in two windows, class by class."""
    evidence = Evidence(label_HW.astype(np.uint8))
    height, width, classes = map_HWC.shape
    for window in (Window(0, height // 2, 0, width), Window(height // 2, height, 0, width)):
        for index in range(classes):
            evidence.add(index, window, map_HWC[window.top : window.bottom, :, index].astype(np.float32))
    return evidence


def certain(class_HW: np.ndarray, confidence: float = 0.98) -> np.ndarray:
    """Probabilities of a model that is confident of one class in each pixel."""
    rest = (1 - confidence) / (len(CLASSES) - 1)
    return np.where(np.arange(len(CLASSES)) == class_HW[..., None], confidence, rest)


def judged(label_HW: np.ndarray, map_HWC: np.ndarray) -> Suspicion:
    found = judge_mask(PAIR, evidence_of(label_HW, map_HWC), CLASSES, 0.8)
    assert found is not None
    return found


@settings(max_examples=50)
@given(st.integers(1, 7), st.integers(1, 7), st.integers(0, 1000))
def test_evidence_is_what_the_probabilities_say(height: int, width: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    map_HWC = random.dirichlet([0.5] * 3, (height, width)).astype(np.float32)
    label_HW = random.choice([0, 1, 2, VOID], (height, width))
    evidence = evidence_of(label_HW, map_HWC)
    np.testing.assert_array_equal(evidence.class_HW, map_HWC.argmax(axis=-1))
    np.testing.assert_array_equal(evidence.confidence_HW, map_HWC.max(axis=-1))
    for place in np.ndindex(height, width):
        label = label_HW[place]
        assert evidence.given_HW[place] == (0 if label == VOID else map_HWC[(*place, label)])


@settings(max_examples=50)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 1000))
def test_regions_are_connected_and_of_one_label_and_one_prediction(height: int, width: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    map_HWC = random.dirichlet([0.1] * 3, (height, width)).astype(np.float32)
    label_HW = random.choice([0, 1, 2, VOID], (height, width))
    expected = []
    for label, predicted in [(i, j) for i in range(3) for j in range(3) if i != j]:
        is_one_HW = (label_HW == label) & (map_HWC.argmax(axis=-1) == predicted) & (map_HWC.max(axis=-1) >= 0.8)
        numbered_HW, regions = scipy.ndimage.label(is_one_HW)
        for number, (rows, columns) in enumerate(scipy.ndimage.find_objects(numbered_HW), 1):
            inside_HW = numbered_HW == number
            box = (rows.start, rows.stop - 1, columns.start, columns.stop - 1)
            expected.append((label, predicted, int(inside_HW.sum()), box, map_HWC[inside_HW, predicted].mean()))
        assert regions == len(scipy.ndimage.find_objects(numbered_HW))
    found = contradictions(evidence_of(label_HW, map_HWC))
    assert sorted((one.label, one.predicted, one.pixels, one.box) for one in found) == sorted(e[:4] for e in expected)
    assert sum(one.confidence for one in found) == pytest.approx(sum(e[4] for e in expected), rel=1e-4)
    assert [one.pixels for one in found] == sorted((one.pixels for one in found), reverse=True)


def test_a_region_is_described() -> None:
    region = Contradiction(label=0, predicted=1, pixels=412, confidence=0.984, box=(5, 30, 10, 40))
    assert region.describe(CLASSES) == (
        "red predicted with 0.98 where the mask has background, 412 pixels (rows 5 to 30, columns 10 to 40)"
    )


def test_a_mask_that_the_model_agrees_with_has_a_high_score() -> None:
    label_HW = np.zeros([8, 8], np.uint8)
    label_HW[2:6, 2:6] = 1
    fine = judged(label_HW, certain(label_HW))
    assert fine.score == pytest.approx(0.98) and not fine.contradictions and fine.contradicted_share == 0
    assert fine.reason == "no pixel is contradicted with 0.8 or more; the lowest score is that of background"


def test_a_swapped_class_shows_in_the_score_of_that_class() -> None:
    truth_HW = np.zeros([8, 8], np.uint8)
    truth_HW[2:6, 2:6] = 1
    swapped = judged(truth_HW * 2, certain(truth_HW))
    assert swapped.class_scores == pytest.approx({"background": 0.98, "blue": 0.01})
    assert swapped.score < 0.02 and swapped.contradicted_share == 0.25
    assert swapped.reason.startswith("red predicted with 0.98 where the mask has blue, 16 pixels")


def test_the_smaller_regions_are_counted() -> None:
    label_HW = np.zeros([9, 9], np.uint8)
    predicted_HW = np.zeros([9, 9], np.uint8)
    predicted_HW[::2, ::2] = 1
    found = judged(label_HW, certain(predicted_HW))
    assert len(found.contradictions) == 25
    assert found.reason.count("red predicted") == 3 and found.reason.endswith("; 22 smaller regions")


def test_void_pixels_neither_count_nor_contradict() -> None:
    label_HW = np.full([4, 4], VOID, np.uint8)
    assert judge_mask(PAIR, evidence_of(label_HW, certain(np.ones([4, 4], int))), CLASSES, 0.8) is None
    label_HW[0] = 1
    assert judged(label_HW, certain(np.ones([4, 4], int))).score == pytest.approx(0.98)
