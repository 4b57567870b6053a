"""Declaration of the step that fetches the served version."""

from __future__ import annotations

from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

from components import component_keys as keys
from components.baseline.executor import Executor


class BaselineSpec(types.ComponentSpec):
    """Parameters and output of `Baseline`."""

    PARAMETERS: ClassVar[dict[str, ExecutionParameter]] = {
        keys.REGISTRY: ExecutionParameter(type=str),
        keys.REGISTRY_STATE: ExecutionParameter(type=str),
        keys.CODE: ExecutionParameter(type=str),
    }
    INPUTS: ClassVar[dict[str, ChannelParameter]] = {}
    OUTPUTS: ClassVar[dict[str, ChannelParameter]] = {keys.MODEL: ChannelParameter(type=standard_artifacts.Model)}


class Baseline(base_component.BaseComponent):
    """Fetches the served version from the registry, so that the new model is compared with it.

    The registry alone decides what is served, on a laptop and on a cluster: no step asks ML Metadata for a
    model.

    ```python
    baseline = Baseline(registry=uri, registry_state=registry_state(uri))
    ```

    Outputs:
        model: a `Model` whose `Format-Serving` is the served version, checked against its manifest; custom properties
            `version` ("3") and `content_hash`.  Where nothing is served yet it holds the file `NO_BASELINE` instead,
            and both properties are "".
    """

    SPEC_CLASS = BaselineSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(self, registry: str, registry_state: str, code: str = "") -> None:
        """Declares the step.

        Args:
            registry: The registry's path or URI.
            registry_state: `registry.state.registry_state(registry)` as the run begins.  TFX cannot see into the
                registry: without this it would take the baseline of an earlier run from its cache.
            code: Digest of the step's code; a different one invalidates the cache.
        """
        super().__init__(
            spec=BaselineSpec(
                registry=registry,
                registry_state=registry_state,
                code=code,
                model=types.Channel(type=standard_artifacts.Model),
            )
        )
