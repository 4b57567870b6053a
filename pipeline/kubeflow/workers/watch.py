"""Waits for the workers: passes on the chief's log, and reports which worker is missing or failed, and why."""

from __future__ import annotations

import contextlib
import datetime
import math
import threading
import time

from common import progress
from common.errors import UserError
from pipeline.kubeflow.json_types import Json
from pipeline.kubeflow.pod.pod_log import say
from pipeline.kubeflow.workers.cluster import Cluster
from pipeline.kubeflow.workers.manifests import LEASE_SECONDS, Training

_INDEX = "batch.kubernetes.io/job-completion-index"
_START_SECONDS = 1800.0
_DRAIN_SECONDS = 10.0
_SIGTERM = 143


def watch_workers(cluster: Cluster, training: Training, poll: float, patience: float = _START_SECONDS) -> None:
    """Waits until all workers have succeeded, and passes on the chief's log.

    Args:
        cluster: API of their namespace.
        training: The workers' training.
        poll: Seconds between two polls.
        patience: Seconds within which all must have started.

    Raises:
        UserError: a worker failed or cannot start; the text says which one and why.
    """
    began = time.monotonic()
    prolonged = 0.0
    started = False
    log, lost = _ChiefsLog(cluster), _Lost()
    # Requested at once, so that a missing permission is reported at once.
    cluster.set_deadline(training.name, LEASE_SECONDS)
    while True:
        # The Job is read first: when it has ended, the pods have their final state.
        ended = _ended(cluster.job(training.name))
        pods = cluster.pods(training.selector)
        log.follow(pods)
        lost.look(pods)
        failed = [pod for pod in pods if _phase(pod) == "Failed"]
        if ended == "Complete":
            log.drain()
            return
        if ended or failed:
            log.drain()
            raise UserError(_why_failed(pods, training, ended, lost.first))
        running = sum(_phase(pod) in ("Running", "Succeeded") for pod in pods)
        started = started or running == training.workers
        if not started:
            progress.update(f"{running} of {training.workers} workers are running")
            if time.monotonic() - began > patience:
                raise UserError(_why_missing(pods, training, running, patience))
        elapsed = time.monotonic() - began
        if elapsed - prolonged > LEASE_SECONDS / 3:
            cluster.set_deadline(training.name, int(elapsed) + LEASE_SECONDS)
            prolonged = elapsed
        time.sleep(poll)


class _Lost:
    """Finds the worker that was deleted first: then no pod has failed, and the Job stops the others."""

    def __init__(self) -> None:
        self.first: Json | None = None
        self._seen: dict[int, Json] = {}

    def look(self, pods: list[Json]) -> None:
        """Records which workers exist, and which is gone or terminating."""
        present = {_index(pod): pod for pod in pods}
        staying = {index: pod for index, pod in present.items() if not pod["metadata"].get("deletionTimestamp")}
        going = [present.get(index, pod) for index, pod in self._seen.items() if index not in staying]
        # A worker that is gone was deleted before those that are terminating.
        going.sort(key=lambda pod: (_index(pod) in present, str(pod["metadata"].get("deletionTimestamp"))))
        self.first = self.first or next(iter(going), None)
        self._seen |= staying


class _ChiefsLog:
    """Passes on the log of worker 0 as it is written, in a thread of its own."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._thread: threading.Thread | None = None

    def follow(self, pods: list[Json]) -> None:
        """Starts once the chief runs."""
        for pod in pods:
            if self._thread is None and _index(pod) == 0 and _phase(pod) in ("Running", "Succeeded", "Failed"):
                self._thread = threading.Thread(target=self._pass_on, args=(pod["metadata"]["name"],), daemon=True)
                self._thread.start()

    def drain(self) -> None:
        """Waits for the last lines."""
        if self._thread is not None:
            self._thread.join(_DRAIN_SECONDS)

    def _pass_on(self, pod: str) -> None:
        """Passes the log on; resumes an interrupted log by the lines' timestamps, which have nanoseconds."""
        last, since = "", None
        while True:
            with contextlib.suppress(Exception):  # The training does not depend on the log.
                for line in self._cluster.log_lines(pod, since):
                    stamp, _, text = line.partition(" ")
                    if stamp > last:
                        say(text)
                        last = stamp
                return
            time.sleep(1.0)
            since = _seconds_since(last)


def _seconds_since(stamp: str) -> int | None:
    """Returns the seconds from a timestamp such as 2024-05-01T03:00:00.123456789Z until now, rounded up."""
    if not stamp:
        return None
    then = datetime.datetime.fromisoformat(stamp[:19] + "+00:00")
    return max(1, math.ceil((datetime.datetime.now(datetime.timezone.utc) - then).total_seconds()) + 1)


def _ended(job: Json) -> str | None:
    """Returns `Complete` or the Job's reason of failure; `None` while it runs."""
    for condition in (job.get("status") or {}).get("conditions") or []:
        if condition.get("status") == "True" and condition["type"] == "Complete":
            return "Complete"
        if condition.get("status") == "True" and condition["type"] == "Failed":
            return condition.get("message") or condition.get("reason") or "Failed"
    return None


def _phase(pod: Json) -> str:
    return str((pod.get("status") or {}).get("phase", ""))


def _index(pod: Json) -> int:
    return int((pod["metadata"].get("annotations") or {}).get(_INDEX, -1))


def _why_failed(pods: list[Json], training: Training, job_says: str | None, lost: Json | None) -> str:
    """Returns why the worker that failed first failed: the others fail or are stopped because of it."""
    ends = [(_end(pod), pod) for pod in pods if _phase(pod) == "Failed"]
    if lost is not None and all(_was_ended(end, pod) for end, pod in ends):
        return _why_lost(lost, training)
    ends = sorted(ends, key=lambda one: (_was_ended(*one), one[0].get("finishedAt") or "", _index(one[1])))
    if not ends:
        return f"the workers failed: {job_says}"
    end, pod = ends[0]
    lines = [line.strip() for line in str(end.get("message") or "").splitlines() if line.strip()]
    said = next((line for line in reversed(lines) if line.startswith("error: ")), lines[-1] if lines else "")
    reason = end.get("reason") or (pod.get("status") or {}).get("reason")
    named = f" ({reason})" if reason and reason != "Error" else ""
    why = said.removeprefix("error: ") or (pod.get("status") or {}).get("message") or "no error message was reported"
    return (
        f"worker {_index(pod)} of {training.workers} failed with exit status {end.get('exitCode', '?')}{named}: {why}"
    )


def _was_ended(end: Json, pod: Json) -> bool:
    """Whether the pod was terminated; TensorFlow ignores SIGTERM, so the exit status is then that of SIGKILL."""
    return end.get("exitCode") == _SIGTERM or bool(pod["metadata"].get("deletionTimestamp"))


def _why_lost(pod: Json, training: Training) -> str:
    conditions = (pod.get("status") or {}).get("conditions") or []
    messages = [condition.get("message") for condition in conditions if condition["type"] == "DisruptionTarget"]
    why = (messages and messages[0]) or "its node was drained, a pod of a higher priority came, or somebody removed it"
    return f"worker {_index(pod)} of {training.workers} was deleted before its end: {why}"


def _end(pod: Json) -> Json:
    for status in (pod.get("status") or {}).get("containerStatuses") or []:
        if ended := (status.get("state") or {}).get("terminated"):
            return ended
    return {}


def _why_missing(pods: list[Json], training: Training, running: int, patience: float) -> str:
    waits = [
        condition["message"]
        for pod in pods
        for condition in (pod.get("status") or {}).get("conditions") or []
        if condition.get("status") == "False" and condition.get("message")
    ]
    waits += [
        f"{waiting.get('reason')}: {waiting.get('message')}"
        for pod in pods
        for status in (pod.get("status") or {}).get("containerStatuses") or []
        if (waiting := (status.get("state") or {}).get("waiting")) and waiting.get("message")
    ]
    why = f": {waits[-1]}" if waits else ""
    return f"only {running} of {training.workers} workers started in {patience / 60:.0f} minutes{why}"
