"""The nodes of a run's Argo workflow, and what they say of a step.

For a task `train` there are `train-driver`, a pod that decides on caching and conditions, `train`, and below that the
step's pod, `executor`, or `executor(0)`, `executor(1)` … where it was tried again (`argocompiler/container.go` of
kubeflow/pipelines).  Where Argo's defaults have a retry strategy, as Kubeflow's own manifests set them
(`workflow-controller-configmap-patch.yaml`), each of these stands above attempts of its own: `train` above `train(0)`,
`train-driver` above the pod `train-driver(0)`.  They come from one of two sources:

- the workflow itself, which the API v1beta1 answers (`toApiRunDetailV1` in `apiserver/server/api_converter.go`), as the
  persistence agent reported it last (`ReportWorkflowResource` in `apiserver/resource/resource_manager.go`);
- the task details of a run, of the API v2beta1, where v1beta1 is refused.  They are names and states alone: a detail
  has neither its own id nor its pod (`toApiPipelineTaskDetail` in `apiserver/server/api_converter.go`), so that
  nothing tells what is below it; `NodeStatuses` (`backend/src/common/util/workflow.go`) leaves out what Argo says of a
  node, and a backend without ML Metadata has no task details (`reserved "task_details"` in
  `backend/api/v2beta1/run.proto`).
"""

from __future__ import annotations

import base64
import datetime
import gzip
import json
import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any, NamedTuple

Json = dict[str, Any]

_STATES = {"Error": "FAILED", "Omitted": None}


class Node(NamedTuple):
    """A node: an id, the name that is shown, its pod, its state as v2beta1 has it, and what Argo says of it."""

    identity: str
    name: str
    pod: str
    state: str | None
    began: datetime.datetime | None
    ended: datetime.datetime | None
    children: tuple[str, ...]
    message: str = ""

    @property
    def attempt(self) -> tuple[int, str]:
        """What attempts are sorted by."""
        number = re.search(r"\((\d+)\)$", self.name)
        return int(number[1]) if number else -1, self.name


class Nodes:
    """The nodes of a run, by name."""

    def __init__(self, nodes: Iterable[Node], know_pods: bool = True) -> None:
        """Takes the nodes in any order, and whether they say which pods are whose."""
        self._know_pods = know_pods
        self._by_id = {node.identity: node for node in nodes}
        self._by_name = {node.name: node for node in self._by_id.values()}

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._by_id)

    @property
    def tasks(self) -> list[str]:
        """The tasks that a driver was started for, in the order of their beginning."""
        began = {name: node.began for name, node in self._by_name.items() if name.endswith("-driver")}
        epoch = datetime.datetime.fromtimestamp(0, datetime.timezone.utc)
        return [name.removesuffix("-driver") for name in sorted(began, key=lambda name: began[name] or epoch)]

    def state(self, task: str) -> str:
        """What a task does: one of those that `watching` has signs for."""
        driver, node = self._by_name.get(f"{task}-driver"), self._by_name.get(task)
        pods = list(self._pods(node))
        if any(_in(detail, "FAILED") for detail in (driver, node)):
            return "failed"
        if _in(node, "SUCCEEDED"):
            return "cached" if pods and all(_in(pod, "SKIPPED") for pod in pods) else "done"
        if _in(node, "SKIPPED"):
            return "skipped"
        if _in(node, "RUNNING") and (_is_at_work(pods) or not self._know_pods):
            return "running"
        # The API has no word, and so no state, for Argo's "omitted": a step that comes after one that failed.
        started = driver if node is None else node
        return "starting" if _in(started, "PENDING", "RUNNING", "SUCCEEDED") else "waiting"

    def times(self, task: str) -> tuple[datetime.datetime | None, datetime.datetime | None]:
        """When a task began, and when it ended."""
        found = [self._by_name[name] for name in (f"{task}-driver", task) if name in self._by_name]
        return (found[0].began, found[-1].ended) if found else (None, None)

    def waiting_pod(self, task: str) -> Node | None:
        """The pod of a task that is pending: that of the last attempt, or the driver's."""
        pods = sorted(self._pods(self._by_name.get(task)), key=lambda pod: pod.attempt, reverse=True)
        found = (*pods, *self._driver_pods(task))
        return next((pod for pod in found if pod.state == "PENDING"), None)

    def waiting_driver(self, tasks: Collection[str]) -> Node | None:
        """The driver of the whole run, or of a group of tasks, that is pending; `tasks` are those that are pods."""
        others = (pod for task in self.tasks if task not in tasks for pod in self._driver_pods(task))
        return next((pod for pod in others if pod.state == "PENDING"), None)

    def failed_pods(self, task: str) -> list[Node]:
        """Of a task that failed what may say why: the pod of the last attempt, or the driver's, then those above it."""
        node = self._by_name.get(task)
        failed = sorted((pod for pod in self._pods(node) if _in(pod, "FAILED")), key=lambda pod: pod.attempt)
        others = [*self._driver_pods(task), *([node] if node is not None else [])]
        return [*reversed(failed), *(detail for detail in others if _in(detail, "FAILED"))]

    def _pods(self, node: Node | None) -> Iterator[Node]:
        """The executors below a task's node or its attempts; below these are the steps that follow."""
        for detail in self._children(node):
            if detail.name.startswith("executor"):
                yield detail
                yield from self._pods(detail)
            elif node is not None and _is_attempt(detail, node):
                yield from self._pods(detail)

    def _driver_pods(self, task: str) -> list[Node]:
        """The attempts of a task's driver, the last one first; else the driver."""
        driver = self._by_name.get(f"{task}-driver")
        if driver is None:
            return []
        attempts = [detail for detail in self._children(driver) if _is_attempt(detail, driver)]
        return sorted(attempts, key=lambda pod: pod.attempt, reverse=True) or [driver]

    def _children(self, node: Node | None) -> Iterator[Node]:
        """What is known of the nodes below one."""
        found = (self._by_id.get(child) for child in (node.children if node is not None else ()))
        return (detail for detail in found if detail is not None)


def nodes_of_run(run: Any) -> Nodes:
    """The nodes that the task details of a `V2beta1Run` tell of; none of a backend without ML Metadata."""
    details = (run.run_details.task_details if run.run_details is not None else None) or []
    nodes = (
        Node(
            identity=detail.task_id or detail.display_name,
            name=detail.display_name or "",
            pod="",
            state=detail.state,
            began=detail.start_time,
            ended=detail.end_time,
            children=(),
            message=(detail.error.message or "") if detail.error is not None else "",
        )
        for detail in details
    )
    return Nodes(nodes, know_pods=False)


def nodes_of_workflow(workflow: Json) -> Nodes:
    """The nodes of an Argo workflow, with what Argo says of them."""
    return Nodes(
        Node(
            identity=_hash(identity),
            name=node.get("displayName", ""),
            pod=_pod_name(workflow, node),
            state=_state(node.get("phase", "")),
            began=_time(node.get("startedAt")),
            ended=_time(node.get("finishedAt")),
            children=tuple(_hash(child) for child in node.get("children") or ()),
            message=node.get("message", ""),
        )
        for identity, node in _status_nodes(workflow.get("status") or {}).items()
    )


def _status_nodes(status: Json) -> Json:
    """Argo packs the nodes of a large workflow (workflow/packer of Argo Workflows, `DecompressWorkflow`)."""
    packed = status.get("compressedNodes")
    if not packed:
        return status.get("nodes") or {}
    unpacked: Json = json.loads(gzip.decompress(base64.b64decode(packed)))
    return unpacked


def _pod_name(workflow: Json, node: Json) -> str:
    """`RetrievePodName` in backend/src/common/util/workflow.go."""
    metadata = workflow.get("metadata") or {}
    name, identity = str(metadata.get("name", "")), str(node.get("id", ""))
    if (metadata.get("annotations") or {}).get("workflows.argoproj.io/pod-name-format") == "v1":
        return identity
    if node.get("name") == name:
        return name
    prefix = name if ".inline" in str(node.get("name")) else f"{name}-{node.get('templateName', '')}"
    return f"{prefix}-{_hash(identity)}"


def _state(phase: str) -> str | None:
    """`RuntimeState.ToV2` in backend/src/apiserver/model/run.go."""
    return _STATES[phase] if phase in _STATES else phase.upper() or None


def _hash(identity: str | None) -> str:
    """What a node's id and its pod's name have in common."""
    return (identity or "").rpartition("-")[2]


def _time(text: str | None) -> datetime.datetime | None:
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None


def _is_attempt(node: Node, above: Node) -> bool:
    """Whether a node is one of those that Argo makes below one that may be tried again."""
    return node.attempt[0] >= 0 and node.name.rpartition("(")[0] == above.name


def _attempts(pods: list[Node]) -> list[Node]:
    """The pods themselves: where a step may be tried again, Argo's node "executor" stands above them, and runs."""
    return [pod for pod in pods if pod.attempt[0] >= 0] or pods


def _is_at_work(pods: list[Node]) -> bool:
    """Whether a pod runs, or has failed and another is to come; that may be held as the first was."""
    attempts = _attempts(pods)
    waiting = any(_in(pod, "PENDING") for pod in attempts)
    return any(_in(pod, "RUNNING") for pod in attempts) or (not waiting and any(_in(pod, "FAILED") for pod in attempts))


def _in(node: Node | None, *states: str) -> bool:
    return node is not None and node.state in states
