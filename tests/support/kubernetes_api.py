"""Kubernetes as far as a step that trains on several machines sees it: its API over HTTP, and pods that are processes.

Objects are kept as they are posted.  An Indexed Job starts a process a pod; the first that fails ends the others, as
the Job controller does it with `backoffLimit: 0`.
"""

from __future__ import annotations

import datetime
import json
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.support.tiny import ENVIRONMENT

Json = dict[str, Any]

NAMESPACE = "runs"
INDEX = "batch.kubernetes.io/job-completion-index"
_PATH = re.compile(rf"/(api/v1|apis/batch/v1)/namespaces/{NAMESPACE}/(pods|services|jobs)(?:/([^/]+))?(/log)?")


class FakeKubernetes(ThreadingHTTPServer):
    """Serves at `url`; `step_pod` is the pod that asks."""

    daemon_threads = True

    def __init__(self, folder: Path, step_pod: Json) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.objects: dict[tuple[str, str], Json] = {("pods", step_pod["metadata"]["name"]): step_pod}
        self.ended: dict[tuple[str, str], Json] = {}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.answers: list[tuple[str, int]] = []
        """Requests, such as `GET jobs`, that are answered with an error, each once."""
        self.asked: list[str] = []
        self.patches: list[Json] = []
        self.command: Callable[[list[str], int], list[str] | None] = in_the_image
        """What a pod of a Job really runs, by its command and index; `None` leaves it unscheduled."""
        self.lock = threading.RLock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def pods_of(self, job: str) -> list[Json]:
        return [pod for (kind, _), pod in self.objects.items() if kind == "pods" and _owner(pod) == job]

    def start(self, job: Json) -> None:
        template = job["spec"]["template"]
        [container] = template["spec"]["containers"]
        for index in range(job["spec"]["completions"]):
            name = f"{job['metadata']['name']}-{index}-abcde"
            command = self.command(container["command"], index)
            pod: Json = {
                "metadata": {
                    "name": name,
                    "labels": template["metadata"]["labels"],
                    "annotations": {INDEX: str(index)},
                },
                "spec": {**template["spec"], "hostname": f"{job['metadata']['name']}-{index}"},
                "status": {"phase": "Running"},
            }
            pod["metadata"]["ownerReferences"] = [{"kind": "Job", "name": job["metadata"]["name"]}]
            if command is None:
                pod["status"] = {"phase": "Pending", "conditions": [_UNSCHEDULABLE]}
            else:
                given = {entry["name"]: entry["value"] for entry in container["env"] if "value" in entry}
                environment = {**ENVIRONMENT, **given, "JOB_COMPLETION_INDEX": str(index)}
                with self.log(name).open("wb") as log:
                    self.processes[name] = subprocess.Popen(
                        command, stdout=log, stderr=subprocess.STDOUT, env=environment
                    )
            self.objects["pods", name] = pod

    def look(self) -> None:
        """Brings the status of pods and Jobs up to date."""
        for (kind, name), job in list(self.objects.items()):
            if kind != "jobs":
                continue
            pods = self.pods_of(name)
            for pod in pods:
                self._look_at(pod)
            phases = [pod["status"]["phase"] for pod in pods]
            # A pod that was deleted counts as one that failed: isPodFailed, pkg/controller/job/job_controller.go.
            if "Failed" in phases or len(pods) < job["spec"]["completions"]:
                for pod in pods:
                    self._stop(pod["metadata"]["name"])
                job["status"] = {"conditions": [{"type": "Failed", "status": "True", "message": "a pod failed"}]}
            elif phases and all(phase == "Succeeded" for phase in phases):
                job["status"] = {"conditions": [{"type": "Complete", "status": "True"}]}

    def delete(self, kind: str, name: str) -> None:
        removed = self.ended[kind, name] = self.objects.pop((kind, name))
        if kind == "jobs":
            for pod in self.pods_of(removed["metadata"]["name"]):
                self._stop(pod["metadata"]["name"])
                self.delete("pods", pod["metadata"]["name"])

    def log(self, pod: str) -> Path:
        return self.folder / f"{pod}.log"

    def log_lines(self, pod: str) -> Iterator[bytes]:
        """As they are written, until the process has ended."""
        with self.log(pod).open("rb") as file:
            rest = b""
            while True:
                ended = self.processes[pod].poll() is not None
                chunk = file.read()
                *lines, rest = (rest + chunk).split(b"\n")
                yield from lines
                if ended and not chunk:
                    return
                time.sleep(0.02)

    def close(self) -> None:
        for name in self.processes:
            self._stop(name)
        self.shutdown()
        self.server_close()

    def _stop(self, pod: str) -> None:
        process = self.processes.get(pod)
        if process and process.poll() is None:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _look_at(self, pod: Json) -> None:
        process = self.processes.get(pod["metadata"]["name"])
        if process is None or process.poll() is None or pod["status"]["phase"] != "Running":
            return
        now = datetime.datetime.now(datetime.timezone.utc).isoformat()
        code = process.returncode if process.returncode >= 0 else 128 - process.returncode
        end: Json = {"exitCode": code, "reason": "Completed", "finishedAt": now}
        if process.returncode:
            last = self.log(pod["metadata"]["name"]).read_bytes()[-2048:].decode("utf-8", "replace")
            end |= {"reason": "Error", "message": last}
        phase = "Failed" if process.returncode else "Succeeded"
        pod["status"] = {"phase": phase, "containerStatuses": [{"name": "worker", "state": {"terminated": end}}]}


_UNSCHEDULABLE = {
    "type": "PodScheduled",
    "status": "False",
    "message": "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
}


def in_the_image(command: list[str], index: int) -> list[str]:
    """The container's command with what the image calls `segpipe-step`."""
    del index
    assert command[0] == "segpipe-step"
    return [sys.executable, "-m", "pipeline.kubeflow.pod.entrypoint", *command[1:]]


def on_this_machine(command: list[str], index: int) -> list[str]:
    """Likewise, once the names of the pods lead to this machine, each worker at a port of its own."""
    spec = Path(command[command.index("--spec") + 1])
    if index == 0:
        told = json.loads(spec.read_text())
        sockets = [socket.create_server(("127.0.0.1", 0)) for _ in told["addresses"]]
        told["addresses"] = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
        for one in sockets:
            one.close()
        spec.write_text(json.dumps(told))
    return in_the_image(command, index)


class _Handler(BaseHTTPRequestHandler):
    server: FakeKubernetes
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        kind, name, query, is_log = self._parsed()
        with self.server.lock:
            if self._refused(f"GET {kind}") or self._missing(kind, name):
                return
            if is_log:
                self.server.lock.release()
                try:
                    self._stream(name)
                finally:
                    self.server.lock.acquire()
                return
            self.server.look()
            if name:
                self._answer(self.server.objects[kind, name])
                return
            key, _, value = query.get("labelSelector", "").partition("=")
            found = [
                item
                for (of, _), item in self.server.objects.items()
                if of == kind and (item["metadata"].get("labels") or {}).get(key) == value
            ]
            self._answer({"kind": "List", "items": found})

    def do_POST(self) -> None:
        kind, _, _, _ = self._parsed()
        body = self._body()
        with self.server.lock:
            if self._refused(f"POST {kind}"):
                return
            key = (kind, body["metadata"]["name"])
            if key in self.server.objects:
                self._error(409, f"{key} already exists")
                return
            self.server.objects[key] = body
            if kind == "jobs":
                self.server.start(body)
            self._answer(body)

    def do_PATCH(self) -> None:
        kind, name, _, _ = self._parsed()
        body = self._body()
        with self.server.lock:
            assert self.headers["Content-Type"] in (
                "application/merge-patch+json",
                "application/strategic-merge-patch+json",
            )
            if self._refused(f"PATCH {kind}") or self._missing(kind, name):
                return
            self.server.patches.append(body)
            self.server.objects[kind, name]["spec"] |= body["spec"]
            self._answer(self.server.objects[kind, name])

    def do_DELETE(self) -> None:
        kind, name, _, _ = self._parsed()
        with self.server.lock:
            self._body()
            if not self._refused(f"DELETE {kind}") and not self._missing(kind, name):
                self.server.delete(kind, name)
                self._answer({"kind": "Status", "status": "Success"})

    def log_message(self, *arguments: Any) -> None:
        pass

    def _parsed(self) -> tuple[str, str, dict[str, str], bool]:
        split = urlsplit(self.path)
        match = _PATH.fullmatch(split.path)
        assert match, self.path
        query = {key: values[0] for key, values in parse_qs(split.query).items()}
        return match[2], unquote(match[3] or ""), query, bool(match[4])

    def _body(self) -> Json:
        length = int(self.headers.get("Content-Length") or 0)
        return json.loads(self.rfile.read(length)) if length else {}

    def _refused(self, request: str) -> bool:
        self.server.asked.append(request)
        for answer in self.server.answers:
            if answer[0] == request:
                self.server.answers.remove(answer)
                self._error(answer[1], f"{request} is forbidden: no such right")
                return True
        return False

    def _missing(self, kind: str, name: str) -> bool:
        if not name or (kind, name) in self.server.objects:
            return False
        self._error(404, f'{kind} "{name}" not found')
        return True

    def _error(self, status: int, message: str) -> None:
        self._answer({"kind": "Status", "status": "Failure", "message": message, "code": status}, status)

    def _answer(self, value: Json, status: int = 200) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, pod: str) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number, line in enumerate(self.server.log_lines(pod)):
            stamp = f"2024-05-01T03:00:00.{number:09}Z"
            data = f"{stamp} ".encode() + line + b"\n"
            self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.write(b"0\r\n\r\n")


def _owner(pod: Json) -> str | None:
    owners = pod["metadata"].get("ownerReferences") or []
    return next((owner["name"] for owner in owners if owner["kind"] == "Job"), None)


def step_pod(name: str = "tiny-x7k2p-impl-1", **changes: Any) -> Json:
    """The Trainer's pod as Argo and Kubeflow 2.17 make it, with what a configuration may give it."""
    volumes = (
        "kfp-launcher",
        "gcs-scratch",
        "s3-scratch",
        "minio-scratch",
        "dot-local-scratch",
        "dot-cache-scratch",
        "dot-config-scratch",
        "var-run-argo",
        "scratch",
    )
    mounts = {"kfp-launcher": "/kfp-launcher", "gcs-scratch": "/gcs", "dot-cache-scratch": "/.cache", "scratch": "/tmp"}
    return {
        "metadata": {
            "name": name,
            "uid": "8a1fd3c2-0000-4000-8000-000000000000",
            "labels": {"pipeline/runid": "run-1", "workflows.argoproj.io/workflow": "tiny-x7k2p"},
        },
        "spec": {
            "nodeName": "gpu-1",
            "nodeSelector": {"pool": "gpu"},
            "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
            "imagePullSecrets": [{"name": "registry"}],
            "activeDeadlineSeconds": 3600,
            "priority": 0,
            "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
            "serviceAccountName": "segpipe-pipeline",
            "restartPolicy": "Never",
            "schedulerName": "default-scheduler",
            "initContainers": [{"name": "init", "image": "argoexec"}, {"name": "kfp-launcher", "image": "launcher"}],
            "volumes": [
                *({"name": volume, "emptyDir": {}} for volume in volumes),
                {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "8Gi"}},
                {"name": "shared", "persistentVolumeClaim": {"claimName": "shared"}},
                {"name": "kube-api-access-abcde", "projected": {"sources": []}},
            ],
            "containers": [
                {"name": "wait", "image": "argoexec", "command": ["argoexec", "wait"]},
                {
                    "name": "main",
                    "image": "segpipe:1.0",
                    "command": ["/var/run/argo/argoexec", "emissary", "--", "/kfp-launcher/launch"],
                    "args": ["--executor_input", "{}"],
                    "env": [
                        {"name": "KFP_POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                        {"name": "ARGO_CONTAINER_NAME", "value": "main"},
                        {"name": "SEGPIPE_WORKERS", "value": "{}"},
                        {"name": "NCCL_DEBUG", "value": "INFO"},
                        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "token", "key": "t"}}},
                    ],
                    "envFrom": [{"configMapRef": {"name": "metadata-grpc-configmap", "optional": True}}],
                    "resources": {
                        "limits": {"cpu": "4", "memory": "16Gi", "nvidia.com/gpu": "1"},
                        "requests": {"cpu": "4", "memory": "16Gi", "nvidia.com/gpu": "1"},
                    },
                    "securityContext": {"runAsNonRoot": True, "readOnlyRootFilesystem": True},
                    "volumeMounts": [
                        *({"name": volume, "mountPath": path} for volume, path in mounts.items()),
                        {"name": "shm", "mountPath": "/dev/shm"},
                        {"name": "shared", "mountPath": "/mnt/shared"},
                        {
                            "name": "kube-api-access-abcde",
                            "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
                            "readOnly": True,
                        },
                    ],
                },
            ],
        },
        **changes,
    }


def running_workers(kubernetes: FakeKubernetes) -> list[int]:
    """Process ids that still live."""
    return [process.pid for process in kubernetes.processes.values() if process.poll() is None]
