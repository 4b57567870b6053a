"""Declaration of the step that writes the HTML report of a run."""

from __future__ import annotations

from typing import Any, ClassVar

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components import component_keys as keys
from components.artifacts import (
    ConfusionMatrix,
    CrossValidationResult,
    GateResult,
    Lineage,
    Metrics,
    Quarantine,
    Report,
    Summary,
)
from components.report import executor


class RunReportSpec(ComponentSpec):
    """Inputs, parameters and outputs of `RunReport`."""

    PARAMETERS: ClassVar = {
        keys.RUN_CONFIG: ExecutionParameter(type=str),
        keys.CODE: ExecutionParameter(type=str),
    }
    INPUTS: ClassVar = {
        keys.EXAMPLES: ChannelParameter(type=standard_artifacts.Examples),
        keys.QUARANTINE: ChannelParameter(type=Quarantine),
        keys.GATE: ChannelParameter(type=GateResult),
        keys.MODEL_RUN: ChannelParameter(type=standard_artifacts.ModelRun, optional=True),
        keys.CROSS_VALIDATION: ChannelParameter(type=CrossValidationResult, optional=True),
        keys.MODEL: ChannelParameter(type=standard_artifacts.Model),
        keys.EVALUATION: ChannelParameter(type=standard_artifacts.ModelEvaluation),
        keys.EXPORTED_MODEL: ChannelParameter(type=standard_artifacts.Model, optional=True),
        keys.INFRA_BLESSING: ChannelParameter(type=standard_artifacts.InfraBlessing, optional=True),
        keys.PUSHED_MODEL: ChannelParameter(type=standard_artifacts.PushedModel, optional=True),
    }
    OUTPUTS: ClassVar = {
        keys.REPORT: ChannelParameter(type=Report),
        keys.METRICS: ChannelParameter(type=Metrics),
        keys.CONFUSION_MATRIX: ChannelParameter(type=ConfusionMatrix),
        keys.SUMMARY: ChannelParameter(type=Summary),
        keys.LINEAGE: ChannelParameter(type=Lineage),
    }


class RunReport(base_component.BaseComponent):
    """Writes one self-contained HTML page about the run: data, training, metrics, predictions, serving, verdict.

    ```python
    report = RunReport(
        examples=example_gen.outputs["examples"],
        quarantine=example_gen.outputs["quarantine"],
        gate=gate.outputs["gate"],
        model_run=trainer.outputs["model_run"],
        model=trainer.outputs["model"],
        evaluation=evaluator.outputs["evaluation"],
        exported_model=exporter.outputs["exported_model"],
        infra_blessing=serving_check.outputs["blessing"],
        pushed_model=pusher.outputs["pushed_model"],
        run_config=config.model_dump_json(by_alias=True),
        code=code_fingerprint,
    )
    ```

    Outputs, all but the last with a viewer of its own in Kubeflow's dashboard:
        report: `report.html`.
        metrics: the figures as custom properties, and `metrics.json` with everything that was measured.
        confusion_matrix: a custom property.
        summary: `summary.md`, data gate, evaluation, serving check and push in short.
        lineage: `lineage.json`, the configuration and where the inputs lie, for `segpipe diff`.
    """

    SPEC_CLASS = RunReportSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        quarantine: types.BaseChannel,
        gate: types.BaseChannel,
        model: types.BaseChannel,
        evaluation: types.BaseChannel,
        run_config: Any,
        code: str,
        model_run: types.BaseChannel | None = None,
        cross_validation: types.BaseChannel | None = None,
        exported_model: types.BaseChannel | None = None,
        infra_blessing: types.BaseChannel | None = None,
        pushed_model: types.BaseChannel | None = None,
    ) -> None:
        """Declares the step.

        Args:
            examples: the records, including the split of the evaluation.
            quarantine: the ingestion's summary.
            gate: the findings of the data gate.
            model: the model that was evaluated.
            evaluation: the evaluation's results.
            run_config: the whole configuration as JSON.
            code: digest of the step's code; a different one invalidates the cache.
            model_run: the training history.
            cross_validation: the folds' histories and metrics, in the place of `model_run`.
            exported_model: the model with other formats and their record; without it the report omits that section.
            infra_blessing: the serving check's result; without it the report omits that section.
            pushed_model: the pusher's result; without it the report says that nothing was pushed.
        """
        super().__init__(
            RunReportSpec(
                examples=examples,
                quarantine=quarantine,
                gate=gate,
                model_run=model_run,
                cross_validation=cross_validation,
                model=model,
                evaluation=evaluation,
                exported_model=exported_model,
                infra_blessing=infra_blessing,
                pushed_model=pushed_model,
                run_config=run_config,
                code=code,
                report=types.Channel(type=Report),
                metrics=types.Channel(type=Metrics),
                confusion_matrix=types.Channel(type=ConfusionMatrix),
                summary=types.Channel(type=Summary),
                lineage=types.Channel(type=Lineage),
            )
        )
