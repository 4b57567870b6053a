"""What each task asks of the cluster."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from components.errors import UserError
from pipeline.kubeflow.config import KubeflowConfig, StepOptions

DEFAULT = "default"
"""The entry that holds for all steps."""


def options_of(config: KubeflowConfig, task: str) -> StepOptions:
    """What `kubeflow.steps` says of a task, key by key: its own entry first, then `default`."""
    default = config.steps.get(DEFAULT, StepOptions())
    own = config.steps.get(task, StepOptions())
    return default.model_copy(update={key: getattr(own, key) for key in own.model_fields_set})


def check_step_names(config: KubeflowConfig, tasks: Iterable[str]) -> None:
    """Makes sure that `kubeflow.steps` names nothing but tasks.

    Raises:
        UserError: it does; the text names the near one.
    """
    known = sorted(tasks)
    for name in config.steps:
        if name != DEFAULT and name not in known:
            close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f"did you mean {close[0]!r}?" if close else f"there is {', '.join(known)}"
            raise UserError(f"kubeflow.steps.{name} is no step of this pipeline; {hint}")
