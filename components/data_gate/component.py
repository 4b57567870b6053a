"""Declaration of the step `DataGate`."""

from __future__ import annotations

from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components import component_keys as keys
from components.artifacts import GateResult, Quarantine
from components.data_gate import executor


class DataGateSpec(ComponentSpec):
    """Inputs, parameters and output of `DataGate`."""

    PARAMETERS: ClassVar = {
        keys.VALIDATION_CONFIG: ExecutionParameter(type=str),
        keys.REGISTRY: ExecutionParameter(type=str),
        keys.DRIFT_BASELINE: ExecutionParameter(type=str),
        keys.CODE: ExecutionParameter(type=str),
    }
    INPUTS: ClassVar = {
        keys.STATISTICS: ChannelParameter(type=standard_artifacts.ExampleStatistics),
        keys.ANOMALIES: ChannelParameter(type=standard_artifacts.ExampleAnomalies),
        keys.SCHEMA: ChannelParameter(type=standard_artifacts.Schema),
        keys.QUARANTINE: ChannelParameter(type=Quarantine),
    }
    OUTPUTS: ClassVar = {keys.GATE: ChannelParameter(type=GateResult)}


class DataGate(base_component.BaseComponent):
    """Stops the run if the data is not fit for training.

    ExampleValidator only records its findings; this component acts on them.  It also compares the training data with
    the last accepted data (drift) and with the other splits (skew), by the comparators of the schema, and checks
    the number of pairs and how many of them are quarantined.

    Example:
        gate = DataGate(
            statistics=statistics_gen.outputs["statistics"],
            anomalies=example_validator.outputs["anomalies"],
            schema=import_schema_gen.outputs["schema"],
            quarantine=example_gen.outputs["quarantine"],
            validation_config=ValidationConfig(max_quarantined=0.02).model_dump_json(),
            registry="runs/nuclei/registry",
        )

    Outputs:
        gate: `GateResult` with `gate.json`, a `components.data_gate.result.GateReport`; only if the gate passed,
            because TFX removes the outputs of a failed step.
    """

    SPEC_CLASS = DataGateSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        statistics: types.BaseChannel,
        anomalies: types.BaseChannel,
        schema: types.BaseChannel,
        quarantine: types.BaseChannel,
        validation_config: str,
        registry: str,
        drift_baseline: str = "",
        code: str = "",
    ) -> None:
        """Declares the step.

        Args:
            statistics: Output of StatisticsGen for the splits train, eval and test.
            anomalies: Output of ExampleValidator.
            schema: The curated schema, with comparators.
            quarantine: Output of ImageMaskExampleGen.
            validation_config: The limits, a `ValidationConfig` as JSON.
            registry: URI of the registry, which keeps the statistics of all accepted data.
            drift_baseline: Fingerprint of the data that drift is measured against, captured before the run.  The
                executor asks the registry itself; this parameter invalidates the cache when the answer changes.
            code: Digest of the step's code; a different one invalidates the cache.
        """
        super().__init__(
            spec=DataGateSpec(
                statistics=statistics,
                anomalies=anomalies,
                schema=schema,
                quarantine=quarantine,
                validation_config=validation_config,
                registry=registry,
                drift_baseline=drift_baseline,
                code=code,
                gate=types.Channel(type=GateResult),
            )
        )
