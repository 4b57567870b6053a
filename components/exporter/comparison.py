"""Comparison of a format with the SavedModel: equal pixels of each image, and mean IoU against the true masks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from common.signatures import PIXELS
from components.evaluator.counts import confusion_counts, iou, mean_over_present
from components.exporter.formats import Arrays, Format, Predict
from components.exporter.samples import InputSettings, LabelledImage, at_input_size, whole
from components.exporter.saved_model import SavedModel

Masks = npt.NDArray[np.uint8]


@dataclass
class Comparison:
    """Figures of the images so far."""

    num_classes: int
    agreements: list[float] = field(default_factory=list)
    """Share of equal pixels of each image."""
    ids: list[str] = field(default_factory=list)
    equal: int = 0
    pixels: int = 0

    def __post_init__(self) -> None:
        square = (self.num_classes, self.num_classes)
        self._counts_CC, self._reference_CC = np.zeros(square, np.int64), np.zeros(square, np.int64)

    def add(self, image: str, mask_BHW: Masks, reference_BHW: Masks, truth_BHW: Masks | None) -> None:
        """Counts an image; a mask of another shape has no equal pixel."""
        is_equal = mask_BHW == reference_BHW if mask_BHW.shape == reference_BHW.shape else np.zeros(1, bool)
        self.ids.append(image)
        self.agreements.append(float(np.mean(is_equal)))
        self.equal += int(np.sum(is_equal))
        self.pixels += reference_BHW.size
        if truth_BHW is not None:
            self._counts_CC += confusion_counts(truth_BHW, mask_BHW, self.num_classes)
            self._reference_CC += confusion_counts(truth_BHW, reference_BHW, self.num_classes)

    @property
    def worst(self) -> int:
        """Index of the image with the fewest equal pixels."""
        return int(np.argmin(self.agreements))

    @property
    def mean_agreement(self) -> float:
        """Share of equal pixels of all images together."""
        return self.equal / self.pixels

    @property
    def mean_iou(self) -> float | None:
        """Mean IoU of the format; None without true masks."""
        return _mean_iou(self._counts_CC)

    @property
    def reference_mean_iou(self) -> float | None:
        """Mean IoU of the SavedModel on the same pixels."""
        return _mean_iou(self._reference_CC)


def _mean_iou(counts_CC: npt.NDArray[np.int64]) -> float | None:
    return float(mean_over_present(iou(counts_CC))) if counts_CC.any() else None


def compare(
    form: Format, predict: Predict, model: SavedModel, images: Iterable[LabelledImage], settings: InputSettings
) -> Comparison:
    """Predicts the images with both.

    A format that takes any size is compared with what an app gets from a server for the image's file; the others with
    the SavedModel's graph on the same pixels, at the size of the model's input.
    """
    comparison = Comparison(settings.num_classes)
    for image in images:
        if form.any_size and model.takes_any_size:
            sample = whole(image)
            reference_BHW = model.mask_of_file(image.encoded)
        else:
            sample = at_input_size(image, settings, model.values)
            reference_BHW = model.mask_of_inputs(sample.inputs)
        comparison.add(image.id, predict(sample.inputs), reference_BHW, sample.truth_BHW)
    return comparison


class Calibration:
    """Images as inputs of the model's size, from which a quantised format takes its ranges; of tiles one an image, from
    its middle."""

    def __init__(self, model: SavedModel, images: Iterable[LabelledImage], settings: InputSettings) -> None:
        self._model, self._images, self._settings = model, images, settings
        self.used = 0
        """Number of images in the last iteration."""

    def __iter__(self) -> Iterator[Arrays]:
        self.used = 0
        for image in self._images:
            self.used += 1
            yield middle_input(self._model, image, self._settings)


def middle_input(model: SavedModel, image: LabelledImage, settings: InputSettings) -> Arrays:
    """Returns one input of the model's size: the whole image, or its middle tile."""
    inputs = at_input_size(image, settings, model.values).inputs
    middle = len(inputs[PIXELS]) // 2
    return {**inputs, PIXELS: inputs[PIXELS][middle : middle + 1]}
