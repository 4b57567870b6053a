"""Content of a model card: what people wrote, and what data, training and evaluation show."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from common.plurals import counted
from components.evaluator import wording
from components.evaluator.results import Estimate, Evaluation, SliceMetrics
from components.example_gen.quarantine import IngestionSummary
from components.pusher.card.config import ModelCardConfig
from registry.exports import Export, Exports
from registry.manifest import Manifest

FEW_IMAGES = 10
"""Test images below which a figure of a slice is named as unreliable."""


@dataclass(frozen=True)
class Figure:
    """One measured figure, of the whole split or of a slice."""

    metric: str
    """Name as thresholds use it, such as `iou/building`."""
    label: str
    slice: str
    """`column=value`; empty for the whole split."""
    estimate: Estimate


@dataclass(frozen=True)
class Card:
    """Everything that a card's forms show."""

    version: Manifest
    texts: ModelCardConfig
    data: IngestionSummary
    evaluation: Evaluation
    architecture: str
    input: str
    output: str
    exports: tuple[Export, ...]
    """Formats of the version besides the SavedModel."""
    measured_limits: tuple[str, ...]
    """Limits that data and evaluation show, one sentence each."""

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.version.model_name

    @property
    def created(self) -> datetime.datetime:
        """Time of the push."""
        return self.version.created

    @property
    def overview(self) -> str:
        """What the model is for; without a text of the configuration, what it does."""
        return self.texts.overview or (
            f"Semantic segmentation of images into {len(self.evaluation.classes)} classes: "
            f"{wording.listed(self.evaluation.classes)}."
        )

    @property
    def limitations(self) -> tuple[str, ...]:
        """Limits that people know, then those that data and evaluation show."""
        return (*self.texts.limitations, *self.measured_limits)

    @property
    def figures(self) -> tuple[Figure, ...]:
        """All figures that have a value: of the whole split first, then of the slices."""
        measured = self.evaluation.candidate
        return tuple(figure for part in (measured.overall, *measured.slices) for figure in _figures(part))


def make_card(
    version: Manifest,
    config: Mapping[str, Any],
    data: IngestionSummary,
    evaluation: Evaluation,
    exports: Exports | None = None,
) -> Card:
    """Collects the content of a version's card; `config` is the run's configuration, as the manifest keeps it."""
    return Card(
        version=version,
        texts=ModelCardConfig.model_validate(config.get("model_card") or {}),
        data=data,
        evaluation=evaluation,
        architecture=_architecture(config),
        input=_input(config),
        output="Per image: a PNG mask of class indices at the image's own size, the share of each class, and the mean "
        "confidence.",
        exports=exports.formats if exports else (),
        measured_limits=tuple(_limits(data, evaluation)),
    )


_INITIAL = {"none": "random initial weights", "imagenet": "initial weights of ImageNet"}


def _architecture(config: Mapping[str, Any]) -> str:
    """Describes the network, such as `encoder_unet, encoder mobilenet (random initial weights)`."""
    model = dict(config.get("trainer", {}).get("model", {}))
    kind = str(model.get("type", "unknown"))
    if encoder := model.get("encoder"):
        weights = str(encoder.get("weights", "imagenet"))
        kind += f", encoder {encoder.get('name')} ({_INITIAL.get(weights, 'initial weights from a file')})"
    folds = dict(config.get("data", {})).get("split", {}).get("folds")
    return f"average of the probabilities of {folds} networks: {kind}" if folds else kind


def _input(config: Mapping[str, Any]) -> str:
    transform = dict(config.get("transform", {}))
    size = f"{transform.get('height')} × {transform.get('width')}"
    how = (
        f"cut into overlapping windows of {size} pixels at its own resolution"
        if transform.get("mode") == "crop"
        else f"resized to {size} pixels"
    )
    bands = dict(config.get("data", {})).get("bands")
    files = f"PNG or TIFF of bands ({bands.get('depth')})" if bands else "JPEG, PNG, GIF or BMP"
    return f"{files}; an image is {how}."


def _limits(data: IngestionSummary, evaluation: Evaluation) -> Iterator[str]:
    yield from evaluation.verdict.warnings
    split = evaluation.split
    if evaluation.classes_without_pixels:
        yield f"No {split} image shows {wording.listed(evaluation.classes_without_pixels)}: nothing is known about it."
    yield from _seldom(data, evaluation)
    yield from _slice_limits(data, evaluation)
    if quarantined := sum(data.quarantined.values()):
        were = "was set aside and is" if quarantined == 1 else "were set aside and are"
        yield f"{quarantined} of {counted(data.found, 'pair')} of image and mask {were} in no figure."


def _seldom(data: IngestionSummary, evaluation: Evaluation) -> Iterator[str]:
    counts = dict(zip(data.classes, data.class_pictures.get(evaluation.split, ()), strict=False))
    few = [f"{name} ({counts[name]})" for name in evaluation.classes if 0 < counts.get(name, 0) < FEW_IMAGES]
    if few:
        yield f"Fewer than {FEW_IMAGES} {evaluation.split} images show {wording.listed(few)}."


def _slice_limits(data: IngestionSummary, evaluation: Evaluation) -> Iterator[str]:
    for column, missing in wording.untested_slices(evaluation, data.slices).items():
        yield f"No {evaluation.split} image has {column} {wording.listed(missing)}, which the data holds."
    seldom: dict[str, list[str]] = {}
    for part in evaluation.candidate.slices:
        if part.pictures < FEW_IMAGES:
            seldom.setdefault(part.column or "", []).append(f"{part.value or 'no value'} ({part.pictures})")
    for column, few in seldom.items():
        yield f"Fewer than {FEW_IMAGES} {evaluation.split} images have {column} {wording.listed(few)}."


def _figures(part: SliceMetrics) -> Iterator[Figure]:
    place = "" if part.column is None else f"{part.column}={part.value}"
    names: Sequence[str] = (
        "mean_iou",
        "mean_dice",
        "pixel_accuracy",
        *(f"iou/{name}" for name in part.iou),
        *(f"dice/{name}" for name in part.dice),
        *part.further,
    )
    for name in names:
        estimate = part.metric(name)
        if estimate.value is not None:
            yield Figure(name, wording.metric_label(name), place, estimate)
