"""Runs a TFX executor as a step of Kubeflow Pipelines."""

from __future__ import annotations

import argparse
import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from tfx.orchestration.kubeflow.v2 import compiler_utils
from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_run_executor
from tfx.utils import name_utils

from common.beam_inspection import remember_inspections
from components.artifacts import OWN_TYPES
from pipeline.kubeflow.json_types import Json
from pipeline.kubeflow.pod.launcher import ArtifactPaths, for_launcher, for_tfx, make_folders, make_single_files
from pipeline.kubeflow.workers.training import hand_over


def run_executor(
    class_path: str, executor_input: Json, inputs_spec: Json, paths: ArtifactPaths, beam_arguments: Sequence[str]
) -> None:
    """Runs one executor with TFX's own runner, converting its input and output.

    Args:
        class_path: The executor, `package.module.Class`.
        executor_input: The launcher's `{{$}}`.
        inputs_spec: The component's `inputDefinitions`.
        paths: Paths of the step's artifacts.
        beam_arguments: For executors that use Beam.
    """
    remember_inspections()
    translated = for_tfx(executor_input, inputs_spec, paths)
    inputs = translated["inputs"]
    inputs["parameterValues"] = hand_over(inputs.get("parameterValues", {}))
    make_folders(translated)
    arguments = argparse.Namespace(
        executor_class_path=class_path,
        json_serialized_invocation_args=json.dumps(translated),
        json_serialized_inputs_spec_args=json.dumps(inputs_spec),
    )
    with _own_types_known():
        kubeflow_v2_run_executor._run_executor(arguments, list(beam_arguments))
    make_single_files(translated)
    output_file = Path(executor_input["outputs"]["outputFile"])
    output_file.write_text(json.dumps(for_launcher(json.loads(output_file.read_text()), paths, executor_input)))


@contextlib.contextmanager
def _own_types_known() -> Iterator[None]:
    """Registers the project's artifact types with TFX, whose map has only its own, while the context is open."""
    titles = {kind.TYPE_NAME: name_utils.get_full_name(kind) for kind in OWN_TYPES}
    compiler_utils.TITLE_TO_CLASS_PATH.update(titles)
    try:
        yield
    finally:
        for title in titles:
            del compiler_utils.TITLE_TO_CLASS_PATH[title]
