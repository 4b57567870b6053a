"""Conversion of a SavedModel to a format; a failure is one sentence."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from common.errors import UserError
from common.machine_faults import Kind, machine_fault_in

if TYPE_CHECKING:
    from components.exporter.formats import Arrays, Format, Predict
    from components.exporter.saved_model import SavedModel

_MISSING_OPERATORS = ("TF Select ops:", "Custom ops:")  # Lines of a long message of TensorFlow Lite's converter.


def convert(form: Format, model: SavedModel, file: Path, calibration: Iterable[Arrays], place: str) -> Predict:
    """Writes the file, opens it in the format's runtime, and returns what predicts with it.

    `place` is what asked for the format.

    Raises:
        UserError: the converter or the runtime refuses the network, or there is not enough memory.
    """
    try:
        form.convert(model, file, calibration)
        return form.load(file)
    except UserError:
        raise
    except Exception as error:
        fault = machine_fault_in(error)
        if fault is None:
            raise UserError(
                f"{place}: the network cannot be converted to {form.name} ({_reason(error)}); take the format out"
            ) from error
        if fault.kind is Kind.MEMORY:
            raise UserError(
                f"{place}: there is not enough memory to convert the network to {form.name}: end other programs, or "
                "take the format out"
            ) from error
        raise


def _reason(error: Exception) -> str:
    """Returns the line of the message that names missing operators; else the first one."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    named = (line for line in lines if line.startswith(_MISSING_OPERATORS))
    return next(named, lines[0] if lines else type(error).__name__)
