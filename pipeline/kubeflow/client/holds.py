"""What holds a run up, and what made a step of it fail.

The workflow is asked first: one request answers for all steps, with the rights that the watch has anyway, also when the
pods are gone.  But Argo reads the step's own containers and the scheduler's verdict alone (`getPendingReason`), and is
silent about an image of the pod's first container, about a volume that cannot be mounted, and about an image that is
being pulled.  Then the dashboard is asked for the pod and its events, which it shows where its rights allow.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from pipeline.kubeflow.client.api import Client
from pipeline.kubeflow.client.nodes import Node, Nodes, nodes_of_run, nodes_of_workflow
from pipeline.kubeflow.client.pod_conditions import Held, ended, held, pod_end, pod_message, said_at_the_end

Json = dict[str, Any]

_KLOG = re.compile(r"[IWEF]\d{4} \d\d:\d\d:\d\d")
_LONGEST = 500
_KILLED = "main: Error (exit code 137)"


class Seen(NamedTuple):
    """A run as it is: its nodes, and its workflow where that was asked for and told."""

    run: Any
    nodes: Nodes
    workflow: Json | None = None


class Holds(NamedTuple):
    """What holds the run as a whole, and what holds which of its tasks."""

    run: Held | None = None
    tasks: Mapping[str, Held] = MappingProxyType({})


NOTHING = Holds()


class Words(NamedTuple):
    """The last thing that a pod said, and whether it said why it failed."""

    text: str
    is_error: bool


def seen_closely(client: Client, run: Any) -> Seen:
    """A run with its workflow, whose nodes say what is below them and why they are as they are."""
    workflow = client.workflow(run.run_id)
    nodes = nodes_of_workflow(workflow or {})
    return Seen(run, nodes or nodes_of_run(run), workflow)


def find_holds(client: Client, close: Seen, tasks: Sequence[str]) -> Holds:
    """What holds a run that has not ended, and those of its tasks that are starting.

    Args:
        client: Is asked for pods of which the workflow does not say why they wait.
        close: The run, as `seen_closely` returns it.
        tasks: Those that are pods.
    """
    if not close.nodes:
        return Holds(_not_taken_up(close.workflow))
    waiting = {task: close.nodes.waiting_pod(task) for task in tasks}
    found = {task: _held(client, pod, task) for task, pod in waiting.items() if pod is not None}
    driver = close.nodes.waiting_driver(tasks)
    whole = _postponed(close.workflow) or (_held(client, driver, "") if driver is not None else None)
    return Holds(whole, {task: reason for task, reason in found.items() if reason is not None})


def why_task_failed(client: Client, close: Seen, task: str) -> str:
    """The last thing that the step's pod said, and what the cluster says of its end; empty if there is neither."""
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
    words = last_words(log, said_at_the_end(messages[0][0]))
    if words.is_error or not end:
        parts = (words.text, end)
    else:
        parts = (end, words.text and f"the last line of its log is: {words.text}")
    return "; ".join(part for part in parts if part) or " ".join(messages[0][0].split())


def last_words(log: str, left: str = "") -> Words:
    """The last line that begins with `error:`, else what the container left, or else the last line of its own."""
    lines = [line.strip() for line in log.splitlines()]
    own = [line for line in lines if line and not _KLOG.match(line)]
    errors = [line for line in (left, *own) if line.startswith("error:")]
    if errors:
        return Words(errors[-1].removeprefix("error:").strip()[:_LONGEST], is_error=True)
    return Words((left or (own[-1] if own else ""))[:_LONGEST], is_error=False)


def _was_killed(log: str) -> bool:
    """Whether the launcher, which outlived it, says so of the process (`execute` in component/launcher_v2.go)."""
    return any(_KLOG.match(line) and "signal: killed" in line for line in log.splitlines())


def why_run_failed(close: Seen) -> str:
    """What Argo says of the whole workflow."""
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
            "the API does not tell the steps of this run, or it has none yet", "its page in the dashboard shows it"
        )
    if not workflow:
        return Held(
            "nothing is reported of the run's workflow",
            "look whether the deployments ml-pipeline-persistenceagent and workflow-controller are up",
        )
    postponed = _postponed(workflow)
    if postponed is not None:
        return postponed
    name = (workflow.get("metadata") or {}).get("name", "")
    return Held(
        f"Argo has not taken up the workflow {name}",
        "look whether the deployment workflow-controller is up and watches the namespace of the runs",
    )


def _postponed(workflow: Json | None) -> Held | None:
    """What Argo says of a workflow that it keeps waiting: a limit of parallel workflows, a lock."""
    status = (workflow or {}).get("status") or {}
    waits = status.get("phase") == "Pending" and status.get("message")
    return Held(" ".join(status["message"].split())) if waits else None
