"""Explains why a pod does not start, or how it ended: the cluster's message, and a remedy.

The messages are those of Argo Workflows (`getPendingReason` and `inferFailedReason` in workflow/controller/operator.go,
4.0.5), which takes them from the pod, and of the pod and its events.  Only the remedy depends on the wording; an
unknown message is passed on without one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pipeline.kubeflow.json_types import Json

_LONGEST = 400
_NAMELESS = ("", "PodInitializing", "ContainerCreating", "Pending")
"""Messages of the kubelet and Argo about a pod that is starting normally."""

_OWN_END = re.compile(r"main: (\w+) \(exit code (\d+)\)(?:: (.*))?$", re.DOTALL)
_ABOVE = re.compile(r"child '.*' (failed|errored)$|No more retries left$|Backoff |Step exceeded its deadline$")
"""Argo's messages about nodes that are not pods; the nodes below them have the reason."""

_BACKEND_IMAGE = re.compile(r"\b(argoexec|kfp-launcher|kfp-driver)\b")
_DRIVER = "the pod is the driver of Kubeflow Pipelines, not the step's"


class Remedy(NamedTuple):
    """Pattern of a cluster's message, and what to do: `{step}` is the step's configuration section, `{0}` a group.

    `driver` is what to do if the pod is a driver of Kubeflow Pipelines; the same if it is empty.
    """

    words: str
    text: str
    driver: str = _DRIVER


_REMEDIES = (
    Remedy(
        r"exceeded quota: ([^,]+)",
        "the quota {0} of the namespace is used up: wait until other pods end, or lower what {step} requests",
        driver="the quota {0} of the namespace is used up: wait until other pods end, or ask for more",
    ),
    Remedy(r"failed quota: ([^:]+): must specify (.+?)(?: for:.*)?$", "the quota {0} demands {1}: set it in {step}"),
    Remedy(r"Insufficient (cpu|memory)", "a request of {step}.{0} is larger than what is free on a node"),
    Remedy(r"enough resource: (cpu|memory)", "a request of {step}.{0} is larger than what the node has"),
    Remedy(r"Insufficient ([\w.-]+/[\w.-]+)", "{step}.accelerator asks for more {0} than is free on a node"),
    Remedy(r"Too many pods|Insufficient pods", "the nodes run as many pods as they may", driver=""),
    Remedy(r"untolerated taint", "{step}.tolerations names the taints that the pod tolerates"),
    Remedy(r"node affinity|node selector|match Pod's node", "{step}.node_selector names labels that such a node lacks"),
    Remedy(
        r'persistentvolumeclaims? "([^"]+)" (?:not found|is being deleted)',
        "create the claim {0} in the namespace of the runs, or name another in kubeflow.volume or {step}.volumes",
        driver="",
    ),
    Remedy(
        r"unbound immediate PersistentVolumeClaims",
        "a claim has no volume: `kubectl describe pvc` in the namespace of the runs says why",
        driver="",
    ),
    Remedy(
        r"couldn't find key (\S+) in Secret (\S+)", "add the key {0} to the secret {1}, or name another in {secret}"
    ),
    Remedy(
        r'[Ss]ecrets? "([^"]+)" not found',
        "create the secret {0} in the namespace of the runs, or name another in {secret}",
    ),
    Remedy(r'[Cc]onfigmaps? "([^"]+)" not found', "create the config map {0} in the namespace of the runs", driver=""),
    Remedy(
        r'service ?account "?([\w.:/-]+?)"? not found',
        "create the service account {0} in the namespace of the runs, or name another in kubeflow.service_account",
        driver="",
    ),
    Remedy(
        r"ImagePull|ErrImage|InvalidImageName|ImageInspectError|[Ff]ailed to pull image",
        "kubeflow.image names the image, kubeflow.pull_secrets what it is pulled with",
    ),
    Remedy(r"executable file not found", "kubeflow.image must be an image of segpipe: it has the command segpipe-step"),
    Remedy(r"runAsNonRoot|non-root", "kubeflow.image must be an image whose user is not root"),
    Remedy(r"violates PodSecurity", "the namespace's level of pod security refuses the pod", driver=""),
    Remedy(
        r"\bOOMKilled\b", "raise {step}.memory, and memory_limit where it is set, or make batches and images smaller"
    ),
    Remedy(r"longer than (?:the )?specified deadline", "{step}.timeout_minutes is its deadline"),
    Remedy(r"low on resource: memory", "raise {step}.memory, so that the pod is put where it has room"),
    Remedy(
        r"ephemeral[- ](?:local )?storage|EmptyDir volume",
        "the pod's own disk was full: it holds the step's inputs, outputs and /tmp; choose nodes with larger disks by "
        "{step}.node_selector",
    ),
    Remedy(r"^pod deleted", "somebody deleted it, or its node was removed; {step}.retries retries a step"),
)


class Held(NamedTuple):
    """Why a pod waits, or how it ended: the cluster's message, and a remedy, which may be empty."""

    words: str
    remedy: str = ""

    def __str__(self) -> str:
        """Returns both in one line."""
        return f"{self.words}; {self.remedy}" if self.remedy else self.words

    @property
    def topic(self) -> str:
        """Text that is equal for reasons that differ only in numbers, or that alternate while an image is pulled."""
        return self.remedy if "kubeflow.image" in self.remedy else re.sub(r"\d+", "", str(self))


def held(message: str, task: str, is_driver: bool = False) -> Held | None:
    """Explains Argo's message or a pod's condition; `None` if the pod is starting normally."""
    words = _words(message)
    return None if words in _NAMELESS else Held(words, _remedy(words, task, is_driver))


def ended(message: str, task: str, is_driver: bool = False) -> Held | None:
    """Explains Argo's message about a failed pod beyond what the log says; `None` if it adds nothing."""
    own = _OWN_END.match(message.strip())
    if _ABOVE.match(message) or not message.strip():
        return None
    if own is None or own[1] != "Error":
        words = _words(message)
        return Held(words, _remedy(words, task, is_driver))
    if own[2] == "137":
        words = "its process was killed (exit status 137), as it is when memory runs out"
        return Held(words, _remedy("OOMKilled", task, is_driver))
    return None


def said_at_the_end(message: str) -> str:
    """Returns the content of /dev/termination-log, which Argo's message ends with."""
    own = _OWN_END.match(message.strip())
    return (own[3] or "").strip() if own is not None else ""


def pod_message(pod: Json, events: Sequence[Json] = ()) -> str:
    """Returns why a pod waits: from its status, else from its last warning, else from its last event."""
    return next(iter((*_of_containers(pod), *_of_conditions(pod), *_of_events(events))), "")


def pod_end(pod: Json) -> str:
    """Returns how a pod ended, in the format of `inferFailedReason`; empty if it has not ended."""
    status = pod.get("status") or {}
    if status.get("phase") != "Failed":
        return ""
    if status.get("message"):
        return str(status["message"])
    for container in (
        *(status.get("initContainerStatuses") or ()),
        *_main_first(status.get("containerStatuses") or ()),
    ):
        end = (container.get("state") or {}).get("terminated") or {}
        if end.get("exitCode"):
            words = f"{container['name']}: {end.get('reason')} (exit code {end['exitCode']})"
            return f"{words}: {end['message']}" if end.get("message") else words
    return ""


def _main_first(containers: Sequence[Json]) -> list[Json]:
    return sorted(containers, key=lambda container: container.get("name") != "main")


def _of_containers(pod: Json) -> Iterator[str]:
    status = pod.get("status") or {}
    for key in ("initContainerStatuses", "containerStatuses"):
        for container in status.get(key) or ():
            waiting = (container.get("state") or {}).get("waiting") or {}
            if waiting.get("reason", "") not in _NAMELESS:
                yield _both(waiting)


def _of_conditions(pod: Json) -> Iterator[str]:
    for condition in (pod.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            yield _both(condition)


def _of_events(events: Sequence[Json]) -> Iterator[str]:
    ordered = sorted(events, key=_when, reverse=True)
    warnings = [event for event in ordered if event.get("type") == "Warning"]
    for event in (*warnings[:1], *ordered[:1]):
        if event.get("type") == "Warning" or event.get("reason") == "Pulling":
            yield _both(event)


def _both(source: Json) -> str:
    return ": ".join(text for text in (source.get("reason"), source.get("message")) if text)


def _when(event: Json) -> str:
    series = event.get("series") or {}
    times = (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime"))
    return next((str(time) for time in times if time), "")


def _words(message: str) -> str:
    """Joins lines, and removes the scheduler's note about preemption."""
    line = " ".join(message.split())
    line = line.removeprefix("Unschedulable: ")
    line = re.split(r",? ?(?:no new claims to deallocate,? ?)?preemption: ", line)[0]
    line = line.rstrip(" .,;")
    return line if len(line) <= _LONGEST else line[:_LONGEST] + "…"


def _remedy(words: str, task: str, is_driver: bool) -> str:
    for remedy in _REMEDIES:
        found = re.search(remedy.words, words)
        if found is None:
            continue
        if "kubeflow.image" in remedy.text and (is_driver or _BACKEND_IMAGE.search(words)):
            return "the image is one of Kubeflow Pipelines, which its API server or Argo's controller names"
        step = f"kubeflow.steps.{task}"
        secret = "kubeflow.webhook" if task == "notify" else f"{step}.secrets"
        text = (is_driver and remedy.driver) or remedy.text
        return text.format(*found.groups(), step=step, secret=secret)
    return _DRIVER if is_driver else ""
