"""Declaration of the step `Transform`."""

from __future__ import annotations

from tfx.components.transform import component
from tfx.dsl.components.base import executor_spec

from components.transform.executor import Executor


class Transform(component.Transform):
    """TFX's Transform with batches of bounded size: see `components.transform.executor`."""

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)
