"""Converts a SavedModel to the configured formats, and refuses those that differ too much from it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import tensorflow as tf

from common import progress
from common.errors import UserError
from common.signatures import EXTRA_ASSETS
from components.exporter.comparison import Comparison, calibration_inputs, compare
from components.exporter.config import ExportConfig
from components.exporter.formats import FORMATS, Format
from components.exporter.samples import InputSettings, LabelledImage
from components.exporter.saved_model import SavedModel
from registry.exports import EXPORTS_FILE, Export, Exports


class Images(NamedTuple):
    """Test images, and those from which a quantised format takes its ranges."""

    test: Sequence[LabelledImage]
    calibration: Sequence[LabelledImage]


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
        form.convert(model, file, calibration_inputs(model, images.calibration, settings))
        compared = compare(form, form.load(file), model, images.test, settings)
        check(form, compared, config)
        tf.io.gfile.makedirs(f"{folder}/{EXTRA_ASSETS}/{form.name}")
        tf.io.gfile.copy(str(file), f"{folder}/{path}", overwrite=True)
        return measured(form, path, file.stat().st_size, compared)


def check(form: Format, compared: Comparison, config: ExportConfig) -> None:
    """Compares the figures with the limits.

    Raises:
        UserError: the format is beyond one.
    """
    worst = compared.worst
    loss = iou_loss(compared)
    if form.is_quantised and loss is not None and loss > config.max_iou_loss:
        raise UserError(
            f"export.formats: {form.name} is not exported, and nothing is pushed: on {len(compared.ids)} test images "
            f"its mean IoU is {compared.mean_iou:.4f}, {loss:.4f} below the SavedModel's, but export.max_iou_loss "
            f"allows {config.max_iou_loss:g}; take the format out, calibrate it with more images "
            "(export.calibration_pictures), or allow more"
        )
    if not form.is_quantised and compared.agreements[worst] < config.min_agreement:
        below = sum(agreement < config.min_agreement for agreement in compared.agreements)
        raise UserError(
            f"export.formats: {form.name} is not exported, and nothing is pushed: {below} of {len(compared.ids)} test "
            f"images get other masks than from the SavedModel; in {compared.ids[worst]} "
            f"{compared.agreements[worst]:.2%} of the pixels agree, but export.min_agreement asks for "
            f"{config.min_agreement:.2%}; take the format out, or allow less"
        )


def measured(form: Format, path: str, size: int, compared: Comparison) -> Export:
    """Returns the record of a format."""
    return Export(
        format=form.name,
        path=path,
        bytes=size,
        pictures=len(compared.ids),
        agreement=compared.agreements[compared.worst],
        mean_agreement=compared.mean_agreement,
        mean_iou=compared.mean_iou,
        iou_loss=iou_loss(compared),
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
