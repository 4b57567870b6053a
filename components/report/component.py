"""The step that makes the page a person looks at."""

from __future__ import annotations

from typing import Any, ClassVar

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components import component_keys as keys
from components.artifacts import ConfusionMatrix, GateResult, Metrics, Quarantine, Report, Summary
from components.report import executor


class RunReportSpec(ComponentSpec):
    """What goes into a report."""

    PARAMETERS: ClassVar = {
        keys.RUN_CONFIG: ExecutionParameter(type=str),
        keys.CODE: ExecutionParameter(type=str),
    }
    INPUTS: ClassVar = {
        keys.EXAMPLES: ChannelParameter(type=standard_artifacts.Examples),
        keys.QUARANTINE: ChannelParameter(type=Quarantine),
        keys.GATE: ChannelParameter(type=GateResult),
        keys.MODEL_RUN: ChannelParameter(type=standard_artifacts.ModelRun),
        keys.MODEL: ChannelParameter(type=standard_artifacts.Model),
        keys.EVALUATION: ChannelParameter(type=standard_artifacts.ModelEvaluation),
        keys.INFRA_BLESSING: ChannelParameter(type=standard_artifacts.InfraBlessing, optional=True),
        keys.PUSHED_MODEL: ChannelParameter(type=standard_artifacts.PushedModel, optional=True),
    }
    OUTPUTS: ClassVar = {
        keys.REPORT: ChannelParameter(type=Report),
        keys.METRICS: ChannelParameter(type=Metrics),
        keys.CONFUSION_MATRIX: ChannelParameter(type=ConfusionMatrix),
        keys.SUMMARY: ChannelParameter(type=Summary),
    }


class RunReport(base_component.BaseComponent):
    """Makes one self-contained HTML page about the run: data, training, metrics, predictions, serving, verdict.

    ```python
    report = RunReport(
        examples=example_gen.outputs["examples"],
        quarantine=example_gen.outputs["quarantine"],
        gate=gate.outputs["gate"],
        model_run=trainer.outputs["model_run"],
        model=trainer.outputs["model"],
        evaluation=evaluator.outputs["evaluation"],
        infra_blessing=serving_check.outputs["blessing"],
        pushed_model=pusher.outputs["pushed_model"],
        run_config=config.model_dump_json(by_alias=True),
        code=code_fingerprint,
    )
    ```

    Outputs, which Kubeflow's dashboard shows each in its own way:
        report: `report.html`.
        metrics: the figures as custom properties, and `metrics.json` with everything that was measured.
        confusion_matrix: a custom property.
        summary: `summary.md`, data gate, evaluation, serving check and push in short.
    """

    SPEC_CLASS = RunReportSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        quarantine: types.BaseChannel,
        gate: types.BaseChannel,
        model_run: types.BaseChannel,
        model: types.BaseChannel,
        evaluation: types.BaseChannel,
        run_config: Any,
        code: str,
        infra_blessing: types.BaseChannel | None = None,
        pushed_model: types.BaseChannel | None = None,
    ) -> None:
        """Declares the step.

        Args:
            examples: the data; the evaluation's split is looked at.
            quarantine: the account of the data.
            gate: what the data gate found.
            model_run: the course of the training.
            model: the model that was evaluated.
            evaluation: what the evaluator found.
            run_config: the whole configuration as JSON.
            code: fingerprint of the code, so that a change of it makes a new report.
            infra_blessing: what the serving check found; without it the report does not speak of it.
            pushed_model: what the pusher did; without it the report says that nothing was pushed.
        """
        super().__init__(
            RunReportSpec(
                examples=examples,
                quarantine=quarantine,
                gate=gate,
                model_run=model_run,
                model=model,
                evaluation=evaluation,
                infra_blessing=infra_blessing,
                pushed_model=pushed_model,
                run_config=run_config,
                code=code,
                report=types.Channel(type=Report),
                metrics=types.Channel(type=Metrics),
                confusion_matrix=types.Channel(type=ConfusionMatrix),
                summary=types.Channel(type=Summary),
            )
        )
