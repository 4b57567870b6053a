"""Compiles a configuration to YAML for Kubeflow Pipelines: a PipelineSpec and a platform document."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import yaml

from pipeline.cli.console import quiet_streams
from pipeline.config.run_config import RunConfig
from pipeline.kubeflow.compile.fold_steps import with_fold_steps
from pipeline.kubeflow.compile.paths import on_cluster
from pipeline.kubeflow.compile.platform import platform_spec
from pipeline.kubeflow.compile.platform_validation import check_platform
from pipeline.kubeflow.compile.spec import cluster_spec
from pipeline.kubeflow.compile.spec_validation import check_spec
from pipeline.kubeflow.compile.step_names import check_step_names
from pipeline.kubeflow.compile.tfx_output import placeholders, tfx_spec
from pipeline.kubeflow.workers.training import with_workers

_ANY_WIDTH = 2**31


def compile_pipeline(config: RunConfig) -> str:
    """Returns the pipeline as YAML of two documents; the same bytes for the same configuration and code.

    Raises:
        UserError: the curated schema does not exist, a step cannot reach a path, or the backend would refuse
            the result; the text names the step and the reason.
    """
    there = with_workers(with_fold_steps(on_cluster(config)))
    spec = cluster_spec(tfx_spec(there), there)
    tasks = sorted(executor.removeprefix("exec-") for executor in spec["deploymentSpec"]["executors"])
    check_step_names(there.kubeflow, tasks)
    platform = platform_spec(there, tasks)
    check_spec(spec)
    check_platform(platform, spec)
    text = to_yaml(spec, platform)
    for mark in placeholders().values():
        if mark in text:
            raise ValueError(f"{mark} is compiled in; run_values in pipeline/dag/steps.py lacks its parameter")
    return text


def compile_quietly(config: RunConfig) -> str:
    """Like `compile_pipeline`, without TensorFlow's and TFX's output."""
    with tempfile.TemporaryDirectory() as folder, quiet_streams(Path(folder) / "log"):
        return compile_pipeline(config)


def to_yaml(spec: dict[str, Any], platform: dict[str, Any]) -> str:
    """Serialises both documents; keys are sorted, and strings of several lines are literal blocks."""
    return yaml.dump_all(
        [spec, platform], Dumper=_Dumper, sort_keys=True, width=_ANY_WIDTH, allow_unicode=True, explicit_start=False
    )


class _Dumper(yaml.SafeDumper):
    """YAML dumper that writes strings of several lines as literal blocks, and no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _represent_text)
