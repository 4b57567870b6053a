"""Beam arguments of TFX's steps that TFX's cache does not depend on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration.portable import beam_executor_operator, data_types, launcher
from tfx.proto.orchestration import executable_spec_pb2, placeholder_pb2

from pipeline.beam.leftovers import remove_leftovers


@contextmanager
def running_with(arguments: Sequence[str]) -> Iterator[None]:
    """Lets Beam steps run with `arguments`, in place of those that their pipeline was built with.

    The latter are a part of the executor's specification, and so of the cache's key: a step that ran on another engine
    would not be found in the cache, though its results are equal.
    """
    operators, spec = launcher.DEFAULT_EXECUTOR_OPERATORS, executable_spec_pb2.BeamExecutableSpec
    before = operators[spec]

    def operator(executor_spec: Any, platform_config: Any = None) -> beam_executor_operator.BeamExecutorOperator:
        made = _Operator(executor_spec, platform_config)
        made.beam_pipeline_args = [_constant(argument) for argument in arguments]
        return made

    operators[spec] = operator
    try:
        yield
    finally:
        operators[spec] = before


class _Operator(beam_executor_operator.BeamExecutorOperator):
    """TFX's operator, which leaves no temporary folders of Beam in a step's outputs."""

    def run_executor(self, execution_info: data_types.ExecutionInfo, make_beam_pipeline_fn: Any = None) -> Any:
        result = super().run_executor(execution_info, make_beam_pipeline_fn)
        remove_leftovers(artifact.uri for artifacts in execution_info.output_dict.values() for artifact in artifacts)
        return result


def _constant(argument: str) -> placeholder_pb2.PlaceholderExpression:
    return placeholder_pb2.PlaceholderExpression(value=metadata_store_pb2.Value(string_value=argument))
