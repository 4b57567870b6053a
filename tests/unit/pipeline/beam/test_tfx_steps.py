"""TFX's steps run with other Beam arguments than those that its cache depends on."""

from __future__ import annotations

from tfx.dsl.components.base.executor_spec import BeamExecutorSpec
from tfx.orchestration.portable.launcher import DEFAULT_EXECUTOR_OPERATORS

from components.example_gen.executor import Executor
from pipeline.beam.tfx_steps import running_with


def test_a_step_gets_the_arguments_of_the_run_and_its_specification_stays() -> None:
    spec = BeamExecutorSpec(Executor)
    spec.add_beam_pipeline_args(["--runner=FnApiRunner"])
    encoded = spec.encode()
    before, written = DEFAULT_EXECUTOR_OPERATORS[type(encoded)], encoded.SerializeToString()
    with running_with(["--runner=PortableRunner", "--parallelism=3"]):
        operator = DEFAULT_EXECUTOR_OPERATORS[type(encoded)](executor_spec=encoded, platform_config=None)
    told = [argument.value.string_value for argument in operator.beam_pipeline_args]
    assert told == ["--runner=PortableRunner", "--parallelism=3"]
    assert encoded.SerializeToString() == written
    assert DEFAULT_EXECUTOR_OPERATORS[type(encoded)] is before
