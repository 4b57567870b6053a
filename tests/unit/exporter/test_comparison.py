"""How far a format is from the SavedModel, and what that leads to."""

from __future__ import annotations

import numpy as np
import pytest

from components.exporter.comparison import Comparison
from components.exporter.config import ExportConfig
from components.exporter.exporting import measured, refusal, refused
from components.exporter.formats import FORMATS

ONNX, INT8 = FORMATS["onnx"], FORMATS["tflite_int8"]
REFERENCE = np.array([[[0, 0], [1, 1]]], np.uint8)
OTHER = np.array([[[0, 1], [1, 1]]], np.uint8)
TRUTH = np.array([[[0, 0], [1, 255]]], np.uint8)


def compared(*masks: np.ndarray, truth: np.ndarray | None = TRUTH) -> Comparison:
    comparison = Comparison(num_classes=2)
    for index, mask_BHW in enumerate(masks):
        comparison.add(f"image-{index}", mask_BHW, REFERENCE, truth)
    return comparison


def test_pixels_are_compared_image_by_image_and_with_the_truth() -> None:
    both = compared(REFERENCE, OTHER)
    assert both.agreements == [1.0, 0.75]
    assert (both.worst, both.mean_agreement) == (1, 7 / 8)
    assert both.reference_mean_iou == 1
    # Of two images without void: class 0 has 4 pixels, 3 found; class 1 has 2, found with one too many.
    assert both.mean_iou == pytest.approx((3 / 4 + 2 / 3) / 2)


def test_without_true_masks_there_is_no_iou() -> None:
    record = measured(ONNX, "a", 1, compared(OTHER, truth=None), calibrated=0)
    assert (record.mean_iou, record.iou_loss) == (None, None)
    assert record.note == "onnx, 0.0 kB: 75.00% of the SavedModel's pixels in the worst of 1 image"


def test_a_mask_of_another_size_agrees_nowhere() -> None:
    assert compared(OTHER[:, :1], truth=None).agreements == [0.0]


def test_an_exact_format_that_differs_in_one_image_is_refused_with_its_name() -> None:
    both = compared(REFERENCE, OTHER)
    assert not refusal(ONNX, both, ExportConfig(min_agreement=0.75))
    assert refusal(ONNX, both, ExportConfig()) == (
        "other masks than from the SavedModel for 1 of 2 test images; in image-1 75.00% of the pixels agree, but "
        "export.min_agreement asks for 99.90%; take the format out, or allow less"
    )


def test_a_quantised_format_is_judged_by_its_loss_of_iou() -> None:
    both = compared(REFERENCE, OTHER)
    assert not refusal(INT8, both, ExportConfig(max_iou_loss=0.3))
    reason = refusal(INT8, both, ExportConfig(max_iou_loss=0.1))
    assert reason.startswith("on 2 test images its mean IoU is 0.7083, 0.2917 below the SavedModel's, but")
    assert "export.max_iou_loss allows 0.1;" in reason


def test_a_quantised_format_whose_loss_cannot_be_measured_is_refused() -> None:
    void = np.full_like(TRUTH, 255)
    reason = refusal(INT8, compared(REFERENCE, truth=void), ExportConfig(max_iou_loss=1))
    assert "cannot be measured on 1 test image with void pixels only" in reason


def test_all_refused_formats_are_named_in_one_sentence() -> None:
    assert str(refused({"onnx": "other masks", "tflite_int8": "too much loss"})) == (
        "export.formats: onnx and tflite_int8 are not exported, and nothing is pushed; onnx: other masks; tflite_int8: "
        "too much loss (the log has the figures of all formats; docs/serving.md describes them)"
    )


def test_the_record_says_how_many_images_the_ranges_come_from() -> None:
    record = measured(INT8, "a", 1, compared(REFERENCE), calibrated=7)
    assert record.note.endswith("mean IoU 1.0000 (+0.0000), ranges of 7 images")
