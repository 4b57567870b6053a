"""Converts a SavedModel to the configured formats, and refuses those that differ too much from it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import tensorflow as tf

from common import progress
from common.errors import UserError
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
        UserError: a format differs from the SavedModel by more than the configuration allows.
    """
    saved_model_bytes = folder_bytes(folder)
    model = SavedModel(folder)
    made = [_export(folder, FORMATS[name], model, images, settings, config) for name in config.converted]
    exports = Exports(saved_model_bytes=saved_model_bytes, formats=tuple(made))
    with tf.io.gfile.GFile(f"{folder}/{EXPORTS_FILE}", "w") as file:
        file.write(exports.model_dump_json(indent=2))
    return exports


def _export(
    folder: str, form: Format, model: SavedModel, images: Images, settings: InputSettings, config: ExportConfig
) -> Export:
    progress.update(f"exporting {form.name}")
    path = f"{EXTRA_ASSETS}/{form.name}/{form.file}"
    with tempfile.TemporaryDirectory(prefix="segpipe-export-") as scratch:
        file = Path(scratch, form.file)
        calibration = Calibration(model, images.calibration, settings)
        predict = convert(form, model, file, calibration, PLACE)
        compared = compare(form, predict, model, images.test, settings)
        export = measured(form, path, file.stat().st_size, compared, calibration.used)
        progress.report(export.note)  # Before the check: the figures of a refused format are shown too.
        check(form, compared, config)
        tf.io.gfile.makedirs(f"{folder}/{EXTRA_ASSETS}/{form.name}")
        tf.io.gfile.copy(str(file), f"{folder}/{path}", overwrite=True)
        return export


def check(form: Format, compared: Comparison, config: ExportConfig) -> None:
    """Compares the figures with the limits.

    Raises:
        UserError: the format is beyond one.
    """
    if form.is_quantised:
        _check_loss(form, compared, config.max_iou_loss)
    else:
        _check_agreement(form, compared, config.min_agreement)


def _check_loss(form: Format, compared: Comparison, most: float) -> None:
    loss = iou_loss(compared)
    if loss is None:
        raise UserError(
            f"{_refused(form)}: the {len(compared.ids)} test images have void pixels only, so its loss of mean IoU "
            "cannot be measured; take the format out, or compare more images (export.pictures)"
        )
    if loss > most:
        raise UserError(
            f"{_refused(form)}: on {len(compared.ids)} test images its mean IoU is {compared.mean_iou:.4f}, {loss:.4f} "
            f"below the SavedModel's, but export.max_iou_loss allows {most:g}; take the format out, calibrate it with "
            "more images (export.calibration_pictures), or allow more"
        )


def _check_agreement(form: Format, compared: Comparison, least: float) -> None:
    worst = compared.worst
    if compared.agreements[worst] < least:
        below = sum(agreement < least for agreement in compared.agreements)
        raise UserError(
            f"{_refused(form)}: {below} of {len(compared.ids)} test images get other masks than from the SavedModel; "
            f"in {compared.ids[worst]} {compared.agreements[worst]:.2%} of the pixels agree, but export.min_agreement "
            f"asks for {least:.2%}; take the format out, or allow less"
        )


def _refused(form: Format) -> str:
    return f"{PLACE}: {form.name} is not exported, and nothing is pushed"


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
