"""The table of formats."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest
from pydantic import ValidationError

from common.errors import UserError
from components.exporter.config import FORMAT_NAMES, ExportConfig
from components.exporter.formats import FORMATS, check_packages
from pipeline.cli.export_command import FORMATS as OF_THE_COMMAND
from registry.exports import SAVED_MODEL


def test_configuration_table_and_command_have_the_same_formats() -> None:
    assert (SAVED_MODEL, *FORMATS) == FORMAT_NAMES
    assert tuple(FORMATS) == OF_THE_COMMAND


def test_by_default_a_version_is_a_saved_model_only() -> None:
    assert ExportConfig().converted == ()
    assert ExportConfig(formats=("onnx", "saved_model")).converted == ("onnx",)


@pytest.mark.parametrize(
    ("formats", "message"),
    [(["onnx"], "saved_model must be among the formats"), (["saved_model", "onnx", "onnx"], "listed twice")],
)
def test_formats_without_the_saved_model_or_with_doubles_are_refused(formats: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ExportConfig(formats=formats)


def test_a_missing_package_is_named_with_the_extra_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    check_packages(["tflite", "tflite_int8"], "export.formats")
    with pytest.raises(UserError, match=r"^export\.formats: onnx needs tf2onnx and onnxruntime, .*'segpipe\[onnx\]'$"):
        check_packages(["tflite", "onnx"], "export.formats")
