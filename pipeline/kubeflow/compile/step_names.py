"""Validates the step names in `kubeflow.steps`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from common.errors import UserError
from pipeline.kubeflow.config import DEFAULT, KubeflowConfig


def check_step_names(config: KubeflowConfig, tasks: Iterable[str]) -> None:
    """Checks that `kubeflow.steps` names only tasks.

    Raises:
        UserError: a name is unknown; the text suggests the closest task.
    """
    known = sorted(tasks)
    for name in config.steps:
        if name != DEFAULT and name not in known:
            close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f"did you mean {close[0]!r}?" if close else f"there is {', '.join(known)}"
            raise UserError(f"kubeflow.steps.{name} is not a step of this pipeline; {hint}")
