"""Converts a SavedModel to the configured formats, and refuses those that differ too much from it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import tensorflow as tf

from common import progress
from common.errors import UserError
from common.plurals import counted
from common.signatures import EXTRA_ASSETS
from components.exporter.comparison import Calibration, Comparison, compare
from components.exporter.config import ExportConfig
from components.exporter.conversion import convert
from components.exporter.formats import FORMATS, Format
from components.exporter.samples import InputSettings, LabelledImage
from components.exporter.saved_model import SavedModel
from registry.exports import EXPORTS_FILE, Export, Exports

PLACE = "export.formats"
"""The key of the configuration that asks for formats."""


class Images(NamedTuple):
    """Test images, and those from which a quantised format takes its ranges."""

    test: Iterable[LabelledImage]
    calibration: Iterable[LabelledImage]


def export_formats(folder: str, images: Images, settings: InputSettings, config: ExportConfig) -> Exports:
    """Adds the configured formats and their record to the `assets.extra` of the SavedModel in `folder`.

    Raises:
        UserError: formats differ from the SavedModel by more than the configuration allows; all of them are named.
    """
    saved_model_bytes = folder_bytes(folder)
    model = SavedModel(folder)
    made, refusals = [], {}
    for form in (FORMATS[name] for name in config.converted):
        export, compared = _export(folder, form, model, images, settings)
        made.append(export)
        progress.report(export.note)  # The figures of a refused format are shown too.
        if reason := refusal(form, compared, config):
            refusals[form.name] = reason
    if refusals:
        raise refused(refusals)
    exports = Exports(saved_model_bytes=saved_model_bytes, formats=tuple(made))
    with tf.io.gfile.GFile(f"{folder}/{EXPORTS_FILE}", "w") as file:
        file.write(exports.model_dump_json(indent=2))
    return exports


def _export(
    folder: str, form: Format, model: SavedModel, images: Images, settings: InputSettings
) -> tuple[Export, Comparison]:
    """Adds one format to the SavedModel, and compares the two."""
    progress.update(f"exporting {form.name}")
    path = f"{EXTRA_ASSETS}/{form.name}/{form.file}"
    with tempfile.TemporaryDirectory(prefix="segpipe-export-") as scratch:
        file = Path(scratch, form.file)
        calibration = Calibration(model, images.calibration, settings)
        predict = convert(form, model, file, calibration, PLACE)
        compared = compare(form, predict, model, images.test, settings)
        tf.io.gfile.makedirs(f"{folder}/{EXTRA_ASSETS}/{form.name}")
        tf.io.gfile.copy(str(file), f"{folder}/{path}", overwrite=True)
        return measured(form, path, file.stat().st_size, compared, calibration.used), compared


def refusal(form: Format, compared: Comparison, config: ExportConfig) -> str:
    """Returns which limit of the configuration a format exceeds, and what to do; empty if it exceeds none."""
    if form.is_quantised:
        return _too_much_loss(compared, config.max_iou_loss)
    return _too_little_agreement(compared, config.min_agreement)


def _too_much_loss(compared: Comparison, most: float) -> str:
    images, loss = counted(len(compared.ids), "test image"), iou_loss(compared)
    if loss is None:
        return (
            f"its loss of mean IoU cannot be measured on {images} with void pixels only; take the format out, or "
            "compare more images (export.pictures)"
        )
    if loss <= most:
        return ""
    return (
        f"on {images} its mean IoU is {compared.mean_iou:.4f}, {loss:.4f} below the SavedModel's, but "
        f"export.max_iou_loss allows {most:g}; take the format out, calibrate it with more images "
        "(export.calibration_pictures), or allow more"
    )


def _too_little_agreement(compared: Comparison, least: float) -> str:
    worst = compared.worst
    if compared.agreements[worst] >= least:
        return ""
    below = sum(agreement < least for agreement in compared.agreements)
    return (
        f"other masks than from the SavedModel for {below} of {counted(len(compared.ids), 'test image')}; in "
        f"{compared.ids[worst]} {compared.agreements[worst]:.2%} of the pixels agree, but export.min_agreement asks "
        f"for {least:.2%}; take the format out, or allow less"
    )


def refused(reasons: Mapping[str, str]) -> UserError:
    """Returns the error for the formats that are refused, by name."""
    are = "is" if len(reasons) == 1 else "are"
    told = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
    return UserError(
        f"{PLACE}: {' and '.join(reasons)} {are} not exported, and nothing is pushed; {told} (the log has the figures "
        "of all formats; docs/serving.md describes them)"
    )


def measured(form: Format, path: str, size: int, compared: Comparison, calibrated: int) -> Export:
    """Returns the record of a format; `calibrated` is the number of images that its ranges come from."""
    return Export(
        format=form.name,
        path=path,
        bytes=size,
        pictures=len(compared.ids),
        agreement=compared.agreements[compared.worst],
        mean_agreement=compared.mean_agreement,
        mean_iou=compared.mean_iou,
        iou_loss=iou_loss(compared),
        calibration_pictures=calibrated,
    )


def iou_loss(compared: Comparison) -> float | None:
    """Returns by how much the SavedModel's mean IoU is higher; None without true masks."""
    if compared.mean_iou is None or compared.reference_mean_iou is None:
        return None
    return compared.reference_mean_iou - compared.mean_iou


def folder_bytes(folder: str) -> int:
    """Returns the size of all files of a folder."""
    return sum(
        tf.io.gfile.stat(f"{parent}/{name}").length for parent, _, names in tf.io.gfile.walk(folder) for name in names
    )
