"""Table of the formats that a SavedModel is converted to.

A new format is a module with `convert` and `load`, and a record here.  TensorFlow is imported by those functions only.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from common.errors import UserError
from components.exporter import onnx_format, tflite_format

if TYPE_CHECKING:
    from components.exporter.saved_model import SavedModel

Arrays = Mapping[str, npt.NDArray[Any]]
"""Inputs of a model by their names: `pixels` [B, H, W, C], and `mean` and `std` [C] where the signature has them."""
Predict = Callable[[Arrays], npt.NDArray[np.uint8]]
"""Inputs → mask [B, H, W]."""


class Load(Protocol):
    """Opens a file in its runtime."""

    def __call__(self, file: Path, threads: int | None = None) -> Predict:
        """Returns what predicts with the file; without `threads` the runtime chooses their number."""


@dataclass(frozen=True)
class Format:
    """A format.

    Attributes:
        name: Its name in the configuration.
        file: Name of its file.
        convert: Writes the file from a SavedModel, and inputs from which a quantised format takes its ranges.
        load: Opens a file; returns what predicts with it.
        any_size: Whether it takes images of any size, if the SavedModel resizes them; else those of the model's input.
        is_quantised: Whether it is judged by its mean IoU, and not by the share of equal pixels.
        packages: Modules that it needs besides TensorFlow, all in the extra `extra`.
    """

    name: str
    file: str
    convert: Callable[[SavedModel, Path, Iterable[Arrays]], None]
    load: Load
    any_size: bool = False
    is_quantised: bool = False
    packages: tuple[str, ...] = ()
    extra: str = ""


FORMATS: Mapping[str, Format] = {
    each.name: each
    for each in (
        Format(
            "onnx",
            "model.onnx",
            onnx_format.convert,
            onnx_format.load,
            any_size=True,
            packages=("tf2onnx", "onnxruntime"),
            extra="onnx",
        ),
        Format("tflite", "model.tflite", tflite_format.convert, tflite_format.load),
        Format("tflite_int8", "model.tflite", tflite_format.convert_int8, tflite_format.load, is_quantised=True),
    )
}


def check_packages(names: Iterable[str], place: str) -> None:
    """Checks that the packages of the formats are installed; `place` is what asked for them.

    Raises:
        UserError: one is not.
    """
    for name in names:
        form = FORMATS[name]
        missing = [package for package in form.packages if importlib.util.find_spec(package) is None]
        if missing:
            raise UserError(
                f"{place}: {name} needs {' and '.join(missing)}, not installed; pip install 'segpipe[{form.extra}]'"
            )
