"""Declaration of the step that checks the exported model behind a server."""

from __future__ import annotations

from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components import component_keys as keys
from components.serving_check.config import ServingCheckConfig
from components.serving_check.executor import Executor


class ServingCheckSpec(ComponentSpec):
    """Parameters, inputs and outputs of `ServingCheck`."""

    PARAMETERS: ClassVar[dict[str, ExecutionParameter]] = {
        keys.CONFIG: ExecutionParameter(type=str),
        keys.TRAINER_SETTINGS: ExecutionParameter(type=str),
        keys.MODEL_NAME: ExecutionParameter(type=str),
        keys.CODE: ExecutionParameter(type=str),
    }
    INPUTS: ClassVar[dict[str, ChannelParameter]] = {
        keys.EXAMPLES: ChannelParameter(type=standard_artifacts.Examples),
        keys.MODEL: ChannelParameter(type=standard_artifacts.Model),
    }
    OUTPUTS: ClassVar[dict[str, ChannelParameter]] = {
        keys.CHECKED_MODEL: ChannelParameter(type=standard_artifacts.Model),
        keys.BLESSING: ChannelParameter(type=standard_artifacts.InfraBlessing),
    }


class ServingCheck(base_component.BaseComponent):
    """Serves the model in a separate process, and stops the run if an app could not use it.

    TFX's InfraValidator needs Docker or a model server on the cluster, does not run on Kubeflow Pipelines, and does not
    check responses.  This step starts `python -m serving` on ports of this machine, sends images of the
    eval split over gRPC and REST, and requires the training graph's pixels, time and memory within a budget, and
    that hostile inputs are rejected without harming the server.

    ```python
    check = ServingCheck(
        examples=example_gen.outputs["examples"],
        model=trainer.outputs["model"],
        config=run_config.serving_check,
        trainer_settings=trainer_settings_text(run_config, found),
        model_name=run_config.name,
    )
    pusher = RegistryPusher(model=check.outputs["checked_model"], infra_blessing=check.outputs["blessing"], …)
    ```

    Outputs, present only if the model passed, because a failed step has none:
        checked_model: the model that was served: that of the Trainer, with warm-up requests for model
            servers in `assets.extra`.
        blessing: an `InfraBlessing` as TFX's InfraValidator makes it, with `serving_check.json`
            (`components.serving_check.result.ServingCheckResult`).
    """

    SPEC_CLASS = ServingCheckSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        model: types.BaseChannel,
        config: ServingCheckConfig,
        trainer_settings: str,
        model_name: str,
        code: str = "",
    ) -> None:
        """Declares the step.

        Args:
            examples: Records, with the split `eval`.
            model: The model that was exported.
            config: The limits to check.
            trainer_settings: The Trainer's `custom_config` as JSON, which describes the export.
            model_name: Name of the model, under which it is served.
            code: Digest of the step's code; a different one invalidates the cache.
        """
        super().__init__(
            spec=ServingCheckSpec(
                examples=examples,
                model=model,
                config=config.model_dump_json(),
                trainer_settings=trainer_settings,
                model_name=model_name,
                code=code,
                checked_model=types.Channel(type=standard_artifacts.Model),
                blessing=types.Channel(type=standard_artifacts.InfraBlessing),
            )
        )
