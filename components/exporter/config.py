"""Configuration of the export formats."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field, field_validator

from common.settings import Settings
from registry.exports import SAVED_MODEL

FormatName = Literal["saved_model", "onnx", "tflite", "tflite_int8"]
FORMAT_NAMES: tuple[FormatName, ...] = get_args(FormatName)


class ExportConfig(Settings):
    """Formats of a version, and how far the others may differ from the SavedModel. One that differs more ends the run,
    and nothing is pushed."""

    formats: tuple[FormatName, ...] = Field(
        default=(SAVED_MODEL,),
        description="`saved_model`, which is evaluated and served, and others beside it in the version: `onnx` (ONNX "
        "Runtime; needs the extra `segpipe[onnx]`), `tflite` (TensorFlow Lite, float32), `tflite_int8` (the same, "
        "quantised after the training).",
    )
    pictures: int = Field(
        default=32, ge=1, le=10_000, description="Number of test images on which a format is compared."
    )
    min_agreement: float = Field(
        default=0.999,
        ge=0,
        le=1,
        description="Share of each image's pixels that must get the SavedModel's class from `onnx` and `tflite`.",
    )
    max_iou_loss: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="By how much the mean IoU of a quantised format (`tflite_int8`) on those images may be lower than "
        "the SavedModel's.",
    )
    calibration_pictures: int = Field(
        default=100,
        ge=1,
        le=10_000,
        description="Number of training images, drawn by the seed, from which a quantised format takes its ranges.",
    )

    @field_validator("formats")
    @classmethod
    def _has_saved_model_and_no_doubles(cls, value: tuple[FormatName, ...]) -> tuple[FormatName, ...]:
        if SAVED_MODEL not in value:
            raise ValueError(f"{SAVED_MODEL} must be among the formats: it is what is evaluated and served")
        if len(set(value)) < len(value):
            raise ValueError(f"a format is listed twice: {', '.join(value)}")
        return value

    @property
    def converted(self) -> tuple[FormatName, ...]:
        """The formats that the SavedModel is converted to."""
        return tuple(name for name in self.formats if name != SAVED_MODEL)
