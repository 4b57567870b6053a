"""Declaration of the step that pushes a blessed model to the registry."""

from __future__ import annotations

from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

from components import component_keys as keys
from components.artifacts import Quarantine
from components.pusher.executor import Executor


class RegistryPusherSpec(types.ComponentSpec):
    """Parameters, inputs and output of `RegistryPusher`."""

    PARAMETERS: ClassVar[dict[str, ExecutionParameter]] = {
        keys.REGISTRY: ExecutionParameter(type=str),
        keys.REGISTRY_STATE: ExecutionParameter(type=str),
        keys.HOLDINGS_STATE: ExecutionParameter(type=str),
        keys.RUN_CONFIG: ExecutionParameter(type=str),
        keys.MODEL_NAME: ExecutionParameter(type=str),
        keys.CODE: ExecutionParameter(type=str),
    }
    INPUTS: ClassVar[dict[str, ChannelParameter]] = {
        keys.MODEL: ChannelParameter(type=standard_artifacts.Model),
        keys.BLESSING: ChannelParameter(type=standard_artifacts.ModelBlessing),
        keys.EVALUATION: ChannelParameter(type=standard_artifacts.ModelEvaluation),
        keys.QUARANTINE: ChannelParameter(type=Quarantine),
        keys.INFRA_BLESSING: ChannelParameter(type=standard_artifacts.InfraBlessing, optional=True),
    }
    OUTPUTS: ClassVar[dict[str, ChannelParameter]] = {
        keys.PUSHED_MODEL: ChannelParameter(type=standard_artifacts.PushedModel)
    }


class RegistryPusher(base_component.BaseComponent):
    """Pushes a blessed model to the registry as a new version and serves it, or makes it the canary.

    TFX's Pusher uses a timestamp as version, stores no hash, has no rollback, and is not atomic.

    ```python
    pusher = RegistryPusher(
        model=serving_check.outputs["checked_model"],
        infra_blessing=serving_check.outputs["blessing"],
        blessing=evaluator.outputs["blessing"],
        evaluation=evaluator.outputs["evaluation"],
        quarantine=example_gen.outputs["quarantine"],
        registry=uri,
        registry_state=registry_state(uri),
        holdings_state=holdings_state(uri),
        run_config=config.model_dump_json(),
        model_name=config.name,
    )
    ```

    Outputs:
        pushed_model: a `PushedModel` with `pushed.json` (`components.pusher.result.PushResult`); custom properties as
            TFX's: `pushed` (1 if a version was made), and where a version holds the model `pushed_version` ("3") and
            `pushed_destination`.
    """

    SPEC_CLASS = RegistryPusherSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        model: types.BaseChannel,
        blessing: types.BaseChannel,
        evaluation: types.BaseChannel,
        quarantine: types.BaseChannel,
        registry: str,
        registry_state: str,
        holdings_state: str,
        run_config: str,
        model_name: str,
        code: str = "",
        infra_blessing: types.BaseChannel | None = None,
    ) -> None:
        """Declares the step.

        Args:
            model: The model that was evaluated.
            blessing: Whether it is blessed.
            evaluation: The evaluation: `metrics.json` of `components.evaluator.results.Evaluation`.
            quarantine: Ingestion's summary, with the data's fingerprint.
            registry: The registry's path or URI.
            registry_state: `registry.state.registry_state(registry)` at the start, as for `Baseline`:
                the version that the model was compared with, and the only one that it may replace.
            holdings_state: `registry.state.holdings_state(registry)` when the run starts.  It changes if the registry
                loses a version, or is deleted, so that a cached push is repeated.  `registry_state` cannot
                detect that: after the deletion it is what it was before the first push.
            run_config: The run's whole configuration as JSON, for the manifest; its `pusher` says whether the model is
                served at once.
            model_name: Name of the model; a registry holds one model only.
            code: Digest of the step's code; a different one invalidates the cache.
            infra_blessing: Result of the serving check; if it is given, a model that failed it is not pushed.
        """
        super().__init__(
            spec=RegistryPusherSpec(
                model=model,
                blessing=blessing,
                evaluation=evaluation,
                quarantine=quarantine,
                infra_blessing=infra_blessing,
                registry=registry,
                registry_state=registry_state,
                holdings_state=holdings_state,
                run_config=run_config,
                model_name=model_name,
                code=code,
                pushed_model=types.Channel(type=standard_artifacts.PushedModel),
            )
        )
