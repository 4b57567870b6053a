import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.evaluator.constant import constant_prediction
from components.evaluator.counts import confusion_counts, named_metrics


@given(st.lists(st.integers(0, 40), min_size=2, max_size=5).filter(any))
def test_it_is_the_best_of_the_images_of_one_class(pixels: list[int]) -> None:
    """The reference draws the truth and each constant image, and counts pixel by pixel."""
    classes = [f"class {index}" for index in range(len(pixels))]
    truth = np.repeat(np.arange(len(pixels)), pixels)
    constants = [
        named_metrics(confusion_counts(truth, np.full_like(truth, c), len(pixels)), classes) for c in range(len(pixels))
    ]
    found = constant_prediction(pixels, classes)
    occurring = {name for name, count in zip(classes, pixels, strict=True) if count}
    assert set(found) == {name for name in constants[0] if name.partition("/")[2] in occurring or "/" not in name}
    for name, value in found.items():
        assert value == pytest.approx(np.nanmax([constant[name] for constant in constants]))


@given(st.lists(st.integers(0, 10**12), min_size=2, max_size=60).filter(any))
def test_it_follows_the_formulas(pixels: list[int]) -> None:
    classes = [f"{index}" for index in range(len(pixels))]
    found, total, occurring = constant_prediction(pixels, classes), sum(pixels), sum(map(bool, pixels))
    largest = max(pixels)
    assert found["mean_iou"] == pytest.approx(largest / total / occurring)
    assert found["mean_dice"] == pytest.approx(2 * largest / (total + largest) / occurring)
    assert found["pixel_accuracy"] == pytest.approx(largest / total)
    assert found[f"iou/{pixels.index(largest)}"] == pytest.approx(largest / total)


def test_of_nothing_there_is_none() -> None:
    assert constant_prediction([0, 0], ["a", "b"]) == {}
