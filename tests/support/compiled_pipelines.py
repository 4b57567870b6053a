"""Pipelines compiled for Kubeflow, each once."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any
from unittest import mock

import yaml

from pipeline.config.run_config import load_config
from pipeline.dag.steps import StepSpec
from pipeline.kubeflow.compile.compiler import compile_pipeline

SHIPPED = sorted(Path("pipeline/configs").glob("*.yaml"))
EVERYTHING = Path("tests/kubeflow/configs/everything.yaml")
"""A configuration with most of what may be said of a cluster."""
FOLDS = Path("tests/kubeflow/configs/folds.yaml")
"""A cross-validation, with several workers and options for the trainings of the folds."""


@functools.cache
def compiled(config: Path, *overrides: str) -> str:
    """The YAML, with names in the place of the digests of code, which change with each edit."""
    with (
        mock.patch("pipeline.dag.pipeline.code_digest", _code_of),
        mock.patch("pipeline.dag.parameters.code_digest", _code_of),
    ):
        return compile_pipeline(load_config(config, overrides))


def documents(config: Path, *overrides: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The PipelineSpec, and the executors of the platform document."""
    spec, platform = yaml.safe_load_all(compiled(config, *overrides))
    return spec, platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]


def _code_of(step: StepSpec) -> str:
    return f"code-of-{step.task}"
