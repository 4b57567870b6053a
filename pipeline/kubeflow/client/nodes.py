"""Nodes of a run's Argo workflow, and the states of steps that follow from them.

For a task `train` there are `train-driver`, a pod that decides on caching and conditions, `train`, and below that the
step's pod, `executor`, or `executor(0)`, `executor(1)` … if it was retried (`argocompiler/container.go` of
kubeflow/pipelines).  If Argo's defaults have a retry strategy, as Kubeflow's own manifests set them
(`workflow-controller-configmap-patch.yaml`), each of these is the parent of its own attempts: `train` of `train(0)`,
`train-driver` of the pod `train-driver(0)`.  They come from one of two sources:

- the workflow itself, which the API v1beta1 returns (`toApiRunDetailV1` in `apiserver/server/api_converter.go`), as
  last reported by the persistence agent (`ReportWorkflowResource` in `apiserver/resource/resource_manager.go`);
- the task details of a run, of the API v2beta1, if v1beta1 is refused.  They have only names and states: a detail has
  neither its own id nor its pod (`toApiPipelineTaskDetail` in `apiserver/server/api_converter.go`), so its children are
  unknown; `NodeStatuses` (`backend/src/common/util/workflow.go`) leaves out Argo's messages, and a backend without ML
  Metadata has no task details (`reserved "task_details"` in `backend/api/v2beta1/run.proto`).
"""

from __future__ import annotations

import base64
import datetime
import gzip
import json
import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any, NamedTuple

from pipeline.kubeflow.json_types import Json

_STATES = {"Error": "FAILED", "Omitted": None}


class Node(NamedTuple):
    """Node of a workflow: id, display name, pod, state in v2beta1's terms, and Argo's message."""

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
        """Sort key of attempts."""
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
        """Whether there are any nodes."""
        return bool(self._by_id)

    @property
    def tasks(self) -> list[str]:
        """Tasks whose driver was started, in order of their start."""
        began = {name: node.began for name, node in self._by_name.items() if name.endswith("-driver")}
        epoch = datetime.datetime.fromtimestamp(0, datetime.timezone.utc)
        return [name.removesuffix("-driver") for name in sorted(began, key=lambda name: began[name] or epoch)]

    def state(self, task: str) -> str:
        """Returns a task's state, one of those that `watching` displays."""
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
        # The API has no state for Argo's "omitted": a step after a failed one.
        started = driver if node is None else node
        return "starting" if _in(started, "PENDING", "RUNNING", "SUCCEEDED") else "waiting"

    def times(self, task: str) -> tuple[datetime.datetime | None, datetime.datetime | None]:
        """Returns the start and end of a task."""
        found = [self._by_name[name] for name in (f"{task}-driver", task) if name in self._by_name]
        return (found[0].began, found[-1].ended) if found else (None, None)

    def waiting_pod(self, task: str) -> Node | None:
        """Returns the pending pod of a task: that of the last attempt, or the driver's."""
        pods = sorted(self._pods(self._by_name.get(task)), key=lambda pod: pod.attempt, reverse=True)
        found = (*pods, *self._driver_pods(task))
        return next((pod for pod in found if pod.state == "PENDING"), None)

    def waiting_driver(self, tasks: Collection[str]) -> Node | None:
        """Returns the pending driver of the whole run or of a group of tasks; `tasks` are those that are pods."""
        others = (pod for task in self.tasks if task not in tasks for pod in self._driver_pods(task))
        return next((pod for pod in others if pod.state == "PENDING"), None)

    def failed_pods(self, task: str) -> list[Node]:
        """Returns nodes that may explain a failed task: the last attempt's pod, or the driver's, then their parents."""
        node = self._by_name.get(task)
        failed = sorted((pod for pod in self._pods(node) if _in(pod, "FAILED")), key=lambda pod: pod.attempt)
        others = [*self._driver_pods(task), *([node] if node is not None else [])]
        return [*reversed(failed), *(detail for detail in others if _in(detail, "FAILED"))]

    def _pods(self, node: Node | None) -> Iterator[Node]:
        """Yields the executors below a task's node or its attempts; below these are the next steps."""
        for detail in self._children(node):
            if detail.name.startswith("executor"):
                yield detail
                yield from self._pods(detail)
            elif node is not None and _is_attempt(detail, node):
                yield from self._pods(detail)

    def _driver_pods(self, task: str) -> list[Node]:
        """Returns the attempts of a task's driver, the last one first; the driver if it has none."""
        driver = self._by_name.get(f"{task}-driver")
        if driver is None:
            return []
        attempts = [detail for detail in self._children(driver) if _is_attempt(detail, driver)]
        return sorted(attempts, key=lambda pod: pod.attempt, reverse=True) or [driver]

    def _children(self, node: Node | None) -> Iterator[Node]:
        """Yields the known children of a node."""
        found = (self._by_id.get(child) for child in (node.children if node is not None else ()))
        return (detail for detail in found if detail is not None)


def nodes_of_run(run: Any) -> Nodes:
    """Returns the nodes in the task details of a `V2beta1Run`; none if the backend has no ML Metadata."""
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
    """Returns the nodes of an Argo workflow, with Argo's messages."""
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
    """Unpacks the nodes, which Argo compresses in a large workflow (its workflow/packer, `DecompressWorkflow`)."""
    packed = status.get("compressedNodes")
    if not packed:
        return status.get("nodes") or {}
    unpacked: Json = json.loads(gzip.decompress(base64.b64decode(packed)))
    return unpacked


def _pod_name(workflow: Json, node: Json) -> str:
    """Returns the pod's name, as `RetrievePodName` in backend/src/common/util/workflow.go."""
    metadata = workflow.get("metadata") or {}
    name, identity = str(metadata.get("name", "")), str(node.get("id", ""))
    if (metadata.get("annotations") or {}).get("workflows.argoproj.io/pod-name-format") == "v1":
        return identity
    if node.get("name") == name:
        return name
    prefix = name if ".inline" in str(node.get("name")) else f"{name}-{node.get('templateName', '')}"
    return f"{prefix}-{_hash(identity)}"


def _state(phase: str) -> str | None:
    """Maps a phase to a state, as `RuntimeState.ToV2` in backend/src/apiserver/model/run.go."""
    return _STATES[phase] if phase in _STATES else phase.upper() or None


def _hash(identity: str | None) -> str:
    """Returns the hash that a node's id and its pod's name have in common."""
    return (identity or "").rpartition("-")[2]


def _time(text: str | None) -> datetime.datetime | None:
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None


def _is_attempt(node: Node, above: Node) -> bool:
    """Whether a node is an attempt that Argo makes below one with a retry strategy."""
    return node.attempt[0] >= 0 and node.name.rpartition("(")[0] == above.name


def _attempts(pods: list[Node]) -> list[Node]:
    """Returns the pods of all attempts; if retries are allowed, Argo's node "executor" is their parent."""
    return [pod for pod in pods if pod.attempt[0] >= 0] or pods


def _is_at_work(pods: list[Node]) -> bool:
    """Whether a pod runs, or has failed and will be retried; the retry may have to wait as well."""
    attempts = _attempts(pods)
    waiting = any(_in(pod, "PENDING") for pod in attempts)
    return any(_in(pod, "RUNNING") for pod in attempts) or (not waiting and any(_in(pod, "FAILED") for pod in attempts))


def _in(node: Node | None, *states: str) -> bool:
    return node is not None and node.state in states
