"""Finds out why a run waits, and why a step of it failed.

The workflow is read first: one request covers all steps, with the permissions that the watch has anyway, even if the
pods are gone.  But Argo reads only the step's own containers and the scheduler's verdict (`getPendingReason`); it does
not report the image of an init container, a volume that cannot be mounted, or an image that is being pulled.  For these
the dashboard is asked for the pod and its events, which it returns if its permissions allow.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from pipeline.kubeflow.client.api import Client
from pipeline.kubeflow.client.nodes import Node, Nodes, nodes_of_run, nodes_of_workflow
from pipeline.kubeflow.client.pod_conditions import Held, ended, held, pod_end, pod_message, said_at_the_end
from pipeline.kubeflow.json_types import Json

_KLOG = re.compile(r"[IWEF]\d{4} \d\d:\d\d:\d\d")
_LONGEST = 500
_KILLED = "main: Error (exit code 137)"


class RunSnapshot(NamedTuple):
    """Snapshot of a run: its nodes, and its workflow if the API returned it."""

    run: Any
    nodes: Nodes
    workflow: Json | None = None


class Holds(NamedTuple):
    """Why the run as a whole waits, and why which of its tasks wait."""

    run: Held | None = None
    tasks: Mapping[str, Held] = MappingProxyType({})


NOTHING = Holds()


class LastOutput(NamedTuple):
    """Last line of a pod's output, and whether it is the reason of the failure."""

    text: str
    is_error: bool


def detailed_snapshot(client: Client, run: Any) -> RunSnapshot:
    """Returns a run with its workflow, whose nodes have their children and Argo's messages."""
    workflow = client.workflow(run.run_id)
    nodes = nodes_of_workflow(workflow or {})
    return RunSnapshot(run, nodes or nodes_of_run(run), workflow)


def find_holds(client: Client, close: RunSnapshot, tasks: Sequence[str]) -> Holds:
    """Finds why a run that has not ended waits, and why its starting tasks wait.

    Args:
        client: Returns the pods for which the workflow has no reason.
        close: The run, as `detailed_snapshot` returns it.
        tasks: The tasks that are pods.
    """
    if not close.nodes:
        return Holds(_not_taken_up(close.workflow))
    waiting = {task: close.nodes.waiting_pod(task) for task in tasks}
    found = {task: _held(client, pod, task) for task, pod in waiting.items() if pod is not None}
    driver = close.nodes.waiting_driver(tasks)
    whole = _postponed(close.workflow) or (_held(client, driver, "") if driver is not None else None)
    return Holds(whole, {task: reason for task, reason in found.items() if reason is not None})


def why_task_failed(client: Client, close: RunSnapshot, task: str) -> str:
    """Returns the last line of the step's pod, and the cluster's reason of its end; empty if there is neither."""
    pods = [pod for pod in close.nodes.failed_pods(task) if pod.pod]
    if not pods:
        return ""
    messages = [(pod.message or pod_end(client.pod(pod.pod)), _is_driver(pod)) for pod in pods[:1]]
    messages += [(pod.message, _is_driver(pod)) for pod in pods[1:]]
    log = client.pod_log(close.run.run_id, pods[0].pod) or ""
    if _was_killed(log):
        messages.append((_KILLED, _is_driver(pods[0])))
    ends = (ended(message, task, is_driver) for message, is_driver in messages)
    end = next((str(reason) for reason in ends if reason is not None), "")
    output = last_output(log, said_at_the_end(messages[0][0]))
    if output.is_error or not end:
        parts = (output.text, end)
    else:
        parts = (end, output.text and f"the last line of its log is: {output.text}")
    return "; ".join(part for part in parts if part) or " ".join(messages[0][0].split())


def last_output(log: str, left: str = "") -> LastOutput:
    """Returns the last line that begins with `error:`, or else the termination message, or else the last line."""
    lines = [line.strip() for line in log.splitlines()]
    own = [line for line in lines if line and not _KLOG.match(line)]
    errors = [line for line in (left, *own) if line.startswith("error:")]
    if errors:
        return LastOutput(errors[-1].removeprefix("error:").strip()[:_LONGEST], is_error=True)
    return LastOutput((left or (own[-1] if own else ""))[:_LONGEST], is_error=False)


def _was_killed(log: str) -> bool:
    """Whether the launcher reports that the process was killed (`execute` in component/launcher_v2.go)."""
    return any(_KLOG.match(line) and "signal: killed" in line for line in log.splitlines())


def why_run_failed(close: RunSnapshot) -> str:
    """Returns Argo's message about the whole workflow."""
    return " ".join(str(((close.workflow or {}).get("status") or {}).get("message") or "").split())


def _held(client: Client, node: Node, task: str) -> Held | None:
    said = held(node.message, task, _is_driver(node))
    if said is not None:
        return said
    pod = client.pod(node.pod)
    return held(pod_message(pod, client.pod_events(node.pod) if pod else ()), task, _is_driver(node))


def _is_driver(node: Node) -> bool:
    return node.name.endswith("-driver")


def _not_taken_up(workflow: Json | None) -> Held | None:
    if workflow is None:
        return Held(
            "the API does not report the steps of this run, or it has none yet", "its page in the dashboard shows it"
        )
    if not workflow:
        return Held(
            "the run's workflow has not been reported",
            "check whether the deployments ml-pipeline-persistenceagent and workflow-controller are up",
        )
    postponed = _postponed(workflow)
    if postponed is not None:
        return postponed
    name = (workflow.get("metadata") or {}).get("name", "")
    return Held(
        f"Argo has not started the workflow {name}",
        "check whether the deployment workflow-controller is up and watches the namespace of the runs",
    )


def _postponed(workflow: Json | None) -> Held | None:
    """Returns Argo's reason why the workflow waits: a limit of parallel workflows, a lock."""
    status = (workflow or {}).get("status") or {}
    waits = status.get("phase") == "Pending" and status.get("message")
    return Held(" ".join(status["message"].split())) if waits else None
