"""Warnings about an evaluation, independent of its verdict."""

from __future__ import annotations

from collections.abc import Iterator

from common.plurals import counted
from components.evaluator.constant import constant_prediction
from components.evaluator.results import SliceMetrics
from components.evaluator.wording import listed

FEW_IMAGES = 10
"""Number of images below which the metrics are imprecise."""
_METRIC = "mean_iou"


def cautions(split: str, overall: SliceMetrics) -> tuple[str, ...]:
    """Returns a sentence for each reason why the metrics of the whole `split` are less reliable."""
    return (*_absent(split, overall), *_constant(overall), *_few(split, overall))


def _absent(split: str, overall: SliceMetrics) -> Iterator[str]:
    """Lists the classes that were not measured."""
    if not overall.absent:
        return
    yield (
        f"No {split} pixel of: {listed(overall.absent)}. "
        f"The means go over {len(overall.averaged)} of {len(overall.iou)} classes."
    )
    invented = [name for name in overall.averaged if name in overall.absent]
    if invented:
        yield f"Predicted without a {split} pixel, so counted with IoU 0: {listed(invented)}."


def _constant(overall: SliceMetrics) -> Iterator[str]:
    """Compares the mean IoU and its interval with the prediction of one class everywhere."""
    estimate, pixels = overall.metric(_METRIC), overall.truth_pixels
    constant = constant_prediction(list(pixels.values()), list(pixels)).get(_METRIC)
    if (
        estimate.value is None or constant is None or len(overall.occurring) < 2
    ):  # Only one class: nothing to distinguish.
        return
    if estimate.value <= constant:
        yield (
            f"{_METRIC} {estimate.value:.3f} is not better than predicting one class everywhere ({constant:.3f}): "
            "better_than_constant: true in a threshold rejects such a model."
        )
    elif estimate.low is not None and estimate.low <= constant:
        yield (
            f"The interval of {_METRIC} reaches down to {estimate.low:.3f}: it may be no better than predicting one "
            f"class everywhere ({constant:.3f})."
        )


def _few(split: str, overall: SliceMetrics) -> Iterator[str]:
    if overall.pictures < FEW_IMAGES:
        yield f"The {split} split has {counted(overall.pictures, 'image')}: the figures are rough."
