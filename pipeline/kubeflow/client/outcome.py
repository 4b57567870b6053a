"""Outcome of a run, which its exit task reads from the pipelines' API, because the driver's status is incomplete.

The workflow that the API v1beta1 returns has each task's end, the messages of failed tasks, and, if the run was
terminated, `activeDeadlineSeconds: 0` (`GetTerminatePatch` in backend/src/common/util/execution_spec.go of
kubeflow/pipelines).  Argo runs an exit task after that deadline too (`createWorkflowPod` in
workflow/controller/workflowpod.go and `applyExecutionControl` in exec_control.go of Argo Workflows 4.0.5), so a
terminated run can be reported as such.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from common.errors import UserError
from pipeline.kubeflow.client.api import Client
from pipeline.kubeflow.client.connection import Api, find_connection
from pipeline.kubeflow.client.holds import RunSnapshot, detailed_snapshot, why_task_failed
from pipeline.kubeflow.names import GROUPS, NOTIFY, PIPELINE, task_label

HOST = "KFP_ENDPOINT"
_SERVICE = "ML_PIPELINE_SERVICE_HOST"  # Kubernetes' own, in the namespace of Kubeflow Pipelines.
_DEFAULT = "ml-pipeline.kubeflow"
_PORT = 8888  # manifests/kustomize/base/pipeline/ml-pipeline-apiserver-service.yaml
_LOOKS = 3
_SECONDS = 3.0
_STATES = {"done": "COMPLETE", "cached": "COMPLETE", "skipped": "COMPLETE", "failed": "FAILED"}


class Outcome(NamedTuple):
    """Outcome of a run: a state of `PipelineTaskFinalStatus`, and a line for each failed step."""

    state: str
    findings: tuple[str, ...] = ()


def ask(
    run_id: str, environment: Mapping[str, str] = os.environ, sleep: Callable[[float], None] = time.sleep
) -> Outcome | None:
    """Returns the outcome of the run; `None` if the API does not report it yet: the persistence agent may be late."""
    try:
        client = Client(Api(find_connection(_address(environment), environment=environment)), namespace="")
        for look in range(_LOOKS):
            outcome = outcome_of(client, detailed_snapshot(client, client.run(run_id)))
            if outcome is not None or look == _LOOKS - 1:
                return outcome
            sleep(_SECONDS)
    except UserError:  # No connection, no permission or a wrong address: the driver's status must suffice.
        pass
    return None


def outcome_of(client: Client, close: RunSnapshot) -> Outcome | None:
    """Returns the outcome of the tasks before the exit task; `None` while it is unknown."""
    if _is_terminated(close):
        return Outcome("CANCELED")
    state = _STATES.get(close.nodes.state(PIPELINE))
    if state != "FAILED":
        return Outcome(state) if state is not None else None
    failed = [task for task in close.nodes.tasks if close.nodes.state(task) == "failed"]
    steps = [task for task in failed if task not in GROUPS and task != NOTIFY]
    reasons = {task_label(task): why_task_failed(client, close, task) for task in steps}
    return Outcome(state, tuple(f"{name}: {reason}" if reason else name for name, reason in reasons.items()))


def _is_terminated(close: RunSnapshot) -> bool:
    specification: dict[str, Any] = (close.workflow or {}).get("spec") or {}
    is_stopped = specification.get("activeDeadlineSeconds") == 0 or bool(specification.get("shutdown"))
    return is_stopped or close.run.state == "CANCELING"


def _address(environment: Mapping[str, str]) -> str:
    return environment.get(HOST) or f"http://{environment.get(_SERVICE) or _DEFAULT}:{_PORT}"
