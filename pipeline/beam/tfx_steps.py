"""Beam arguments of TFX's steps that TFX's cache does not depend on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration.portable import beam_executor_operator, launcher
from tfx.proto.orchestration import executable_spec_pb2, placeholder_pb2


@contextmanager
def running_with(arguments: Sequence[str]) -> Iterator[None]:
    """Lets Beam steps run with `arguments`, in place of those that their pipeline was built with.

    The latter are a part of the executor's specification, and so of the cache's key: a step that ran on another engine
    would not be found in the cache, though its results are equal.
    """
    operators, spec = launcher.DEFAULT_EXECUTOR_OPERATORS, executable_spec_pb2.BeamExecutableSpec
    before = operators[spec]

    def operator(executor_spec: Any, platform_config: Any = None) -> beam_executor_operator.BeamExecutorOperator:
        made = beam_executor_operator.BeamExecutorOperator(executor_spec, platform_config)
        made.beam_pipeline_args = [_constant(argument) for argument in arguments]
        return made

    operators[spec] = operator
    try:
        yield
    finally:
        operators[spec] = before


def _constant(argument: str) -> placeholder_pb2.PlaceholderExpression:
    return placeholder_pb2.PlaceholderExpression(value=metadata_store_pb2.Value(string_value=argument))
