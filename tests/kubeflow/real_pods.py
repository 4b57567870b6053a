"""Kubeflow Pipelines 2.17 on a real Kubernetes: its compiler's workflow by Argo's controller, driver and launcher.

Namespace, rights, quota, policies and the launcher's settings are those of `k8s/overlays/kind`; pods are admitted by
the profile "restricted".  What is not Kubeflow's own answers from this machine, behind Services of the names that
Kubeflow's have: ML Metadata's Python package, and an object store on a folder.  Where Kubeflow's API server can be had
(`pipelines_api.py`), runs are made by it; else its template package makes the workflow, and of the server there is the
cache's part, by hand.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from ml_metadata.proto import metadata_store_pb2

from tests.kubeflow import pipelines_api
from tests.kubeflow.installation import take_over
from tests.kubeflow.pipelines_api import GRPC, HTTP, PipelinesApi
from tests.kubeflow.store import NOT_TRIGGERED, Execution, Json, Store
from tests.kubeflow.workflow import PipelineRun, TaskRun
from tests.support import step_image
from tests.support.cluster import HOST, REPOSITORY, Cluster, image_with, put_into
from tests.support.kubeflow_backend import AGENT, API_SERVER, BACKEND, DRIVER, LAUNCHER, find_program, program
from tests.support.manifests import K8S
from tests.support.metadata_server import metadata_server
from tests.support.object_store import object_store
from tests.support.task_server import task_server

NAMESPACE = "kubeflow"
ACCOUNT = "segpipe-pipeline"
STEP_IMAGE = "segpipe:1"
_IMAGES = {name: f"segpipe.local/{name}:1" for name in ("kfp-driver", "kfp-launcher", "argoexec")}
_IMAGES_OF_RUNS = {"V2_DRIVER_IMAGE": _IMAGES["kfp-driver"], "V2_LAUNCHER_IMAGE": _IMAGES["kfp-launcher"]}
_USER = "65532"  # As backend/Dockerfile.driver and Dockerfile.launcher.
_KEYS = {"accesskey": "id", "secretkey": "key"}
_RESTRICTED = {
    "runAsNonRoot": True,
    "runAsUser": int(_USER),
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


class RealPods:
    """As `installation.Installation`: where it is open as a context, runs can be made."""

    def __init__(
        self,
        cluster: Cluster,
        bucket: Path,
        claims: Mapping[str, Path] | None = None,
        secrets: Mapping[str, Mapping[str, str]] | None = None,
        pipeline_root: str = "minio://mlpipeline/v2/artifacts",
    ) -> None:
        """As `Installation`, after the cluster."""
        self.cluster, self.store, self.pipeline_root = cluster, Store(bucket), pipeline_root
        self.claims, self.secrets = claims or {}, {"mlpipeline-minio-artifact": _KEYS, **(secrets or {})}
        self.opened = contextlib.ExitStack()
        self.api: PipelinesApi | None = None

    def __enter__(self) -> RealPods:
        bucket = self.pipeline_root.partition("://")[2].partition("/")[0]
        (self.store.bucket / bucket).mkdir(parents=True, exist_ok=True)
        open_namespace(self.cluster, self.claims, self.secrets)
        self.cluster.kubectl("-n", NAMESPACE, "delete", "job", "segpipe-sample-data", "--now")
        step_image.load_step_image(self.cluster)
        _load_programs(self.cluster)
        self.metadata, metadata_port = self.opened.enter_context(metadata_server(HOST))
        store = self.opened.enter_context(object_store(self.store.bucket, HOST))
        self.cluster.apply(*_service("metadata-grpc-service", HOST, {8080: metadata_port}))
        self.cluster.apply(*_service("seaweedfs", HOST, {9000: int(store.rpartition(":")[2])}))
        self.opened.enter_context(_argo(self.cluster))
        self._open_api(store)
        return self

    def _open_api(self, store: str) -> None:
        if why_no_api():
            cache_port, _ = self.opened.enter_context(task_server(HOST))
            self.cluster.apply(*_service("ml-pipeline", HOST, {GRPC: cache_port}))
            return
        self.cluster.apply(*_service("ml-pipeline", pipelines_api.NODE, {HTTP: HTTP, GRPC: GRPC}))
        self.api = self.opened.enter_context(PipelinesApi(self.cluster, NAMESPACE, store, _IMAGES_OF_RUNS))

    def __exit__(self, *_: object) -> None:
        self.opened.close()
        self.cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=false", "--now", check=False)

    def start(self, compiled: str, parameters: Mapping[str, Any] | None = None) -> tuple[str, str]:
        """Starts a run; its workflow's name, and its id."""
        text = compiled.replace("segpipe:latest", STEP_IMAGE)
        if self.api is not None:
            run_id = self.api.start_run(text, dict(parameters or {}), self.pipeline_root, ACCOUNT)
            return self.workflow_of(run_id), run_id
        return self._create_workflow(text, dict(parameters or {}))

    def workflow_of(self, run_id: str) -> str:
        """The name of a run's workflow."""
        words = ("get", "workflows", "-l", f"pipeline/runid={run_id}", "-o", "jsonpath={.items[0].metadata.name}")
        return self.cluster.kubectl("-n", NAMESPACE, *words)

    def _create_workflow(self, text: str, parameters: Json) -> tuple[str, str]:
        """What the API server does for a run, by its template package."""
        run_id = str(uuid.uuid4())
        command = [program(BACKEND), json.dumps(parameters)]
        made = subprocess.run(
            command, input=text, capture_output=True, text=True, check=True, env={**os.environ, **_IMAGES_OF_RUNS}
        ).stdout
        workflow = yaml.safe_load(made.replace("run-id", run_id))
        workflow["spec"]["serviceAccountName"] = ACCOUNT
        workflow["metadata"]["name"] = f"{workflow['metadata'].pop('generateName')}{run_id[:5]}"
        self.cluster.kubectl("create", "-f", "-", stdin=json.dumps(put_into(NAMESPACE, workflow)))
        return workflow["metadata"]["name"], run_id

    def run(self, compiled: str, parameters: Mapping[str, Any] | None = None, seconds: float = 1500) -> PipelineRun:
        """Runs the pipeline to its end."""
        before = {execution.id for execution in self.metadata.get_executions()}
        name, run_id = self.start(compiled, parameters)
        workflow = self.cluster.wait("workflow", name, NAMESPACE, _ended, seconds)
        spec = next(document for document in yaml.safe_load_all(compiled) if document and "pipelineInfo" in document)
        root = f"{self.pipeline_root}/{spec['pipelineInfo']['name']}/{run_id}"
        run = PipelineRun(run_id, root, workflow["status"]["phase"] == "Succeeded")
        [groups] = [kind.id for kind in self.metadata.get_execution_types() if kind.name == "system.DAGExecution"]
        for execution in self.metadata.get_executions():
            task = execution.custom_properties["task_name"].string_value
            state = metadata_store_pb2.Execution.State.Name(execution.last_known_state)
            is_shown = execution.type_id != groups or state == NOT_TRIGGERED
            if execution.id not in before and task and is_shown:
                run.tasks[task] = TaskRun(task, state, execution=Execution(execution.id, task))
        for node in workflow["status"]["nodes"].values():
            self._note_pod(run, node)
        take_over(self.metadata, self.store, run)
        return run

    def _note_pod(self, run: PipelineRun, node: Json) -> None:
        """What Argo says of the pod of a step, and what the pod has said."""
        if node["type"] != "Pod" or "system-container-impl" not in node.get("templateName", ""):
            return
        pods = json.loads(self.cluster.kubectl("-n", NAMESPACE, "get", "pods", "-o", "json"))["items"]
        key = "workflows.argoproj.io/node-id"
        pod = next((each for each in pods if each["metadata"].get("annotations", {}).get(key) == node["id"]), None)
        if pod is None:
            return
        main = next(each for each in pod["spec"]["containers"] if each["name"] == "main")
        words = [*main["command"], *main.get("args", ())]
        executions = [int(words[at + 1]) for at, word in enumerate(words) if word == "--execution_id"]
        for task in run.tasks.values():
            if task.execution is not None and task.execution.id in executions:
                task.attempts += 1
                task.status = _exit_status(pod)
                task.log = self.cluster.logs(pod["metadata"]["name"], NAMESPACE, "-c", "main")


def _exit_status(pod: Json) -> int:
    """That of the container with the step."""
    states = [each["state"] for each in pod["status"].get("containerStatuses", ()) if each["name"] == "main"]
    return int(states[0].get("terminated", {}).get("exitCode", 0)) if states else 0


def why_not() -> str:
    """Why there can be no runs here, beyond what a cluster needs; empty if there can."""
    missing = [name for name in ("workflow-controller", "argoexec") if not (find_programs() / name).exists()]
    if missing:
        return f"there is no {missing[0]}; `scripts/kubernetes-programs workflow-controller argoexec` builds it with Go"
    return step_image.why_not()


def why_no_api() -> str:
    """Why runs cannot be made by Kubeflow's API server here; empty if they can."""
    reasons = (find_program(package)[1] for package in (API_SERVER, AGENT))
    return next((reason for reason in (pipelines_api.why_not(), *reasons) if reason), "")


def find_programs() -> Path:
    """Where `scripts/kubernetes-programs` puts them."""
    return Path(os.environ.get("SEGPIPE_KUBERNETES") or REPOSITORY / "build" / "kubernetes")


def open_namespace(
    cluster: Cluster, claims: Mapping[str, Path], secrets: Mapping[str, Mapping[str, str]] | None = None
) -> None:
    """Makes the namespace `kubeflow` anew, as k8s/README.md says; claims stand for folders of this machine."""
    cluster.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=180s")
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    for name, folder in claims.items():
        cluster.kubectl("delete", "persistentvolume", f"test-{name}", "--ignore-not-found", "--timeout=60s")
        cluster.apply(*_claim(name, folder))
    for name, keys in (secrets or {}).items():
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": dict(keys)}
        cluster.apply(put_into(NAMESPACE, secret))
    apply_kustomization(cluster, K8S / "overlays" / "kind")


def apply_kustomization(cluster: Cluster, folder: Path) -> str:
    """Applies a folder as k8s/README.md says."""
    return cluster.kubectl("apply", "--server-side", "--force-conflicts", "-k", folder, seconds=300)


def _ended(workflow: Json) -> bool:
    return workflow.get("status", {}).get("phase") in {"Succeeded", "Failed", "Error"}


def _claim(name: str, folder: Path) -> tuple[Json, Json]:
    """A claim that stands for a folder of this machine, as the overlay's own claim says it otherwise."""
    folder.chmod(0o777)
    common = {"accessModes": ["ReadWriteOnce"], "storageClassName": ""}
    claim = {**common, "volumeName": f"test-{name}", "resources": {"requests": {"storage": "5Gi"}}}
    volume = {
        **common,
        "capacity": {"storage": "5Gi"},
        "hostPath": {"path": str(folder)},
        "claimRef": {"namespace": NAMESPACE, "name": name},
    }
    return (
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": f"test-{name}"}, "spec": volume},
        put_into(
            NAMESPACE, {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": claim}
        ),
    )


def _service(name: str, address: str, targets: Mapping[int, int]) -> tuple[Json, Json]:
    """A Service for what answers outside of the pods: its ports, and those there."""
    slice_ = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": name, "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4",
        "ports": [{"name": f"port-{port}", "port": target, "protocol": "TCP"} for port, target in targets.items()],
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
    }
    ports = [{"name": f"port-{port}", "port": port, "targetPort": target} for port, target in targets.items()]
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"ports": ports}}
    return put_into(NAMESPACE, service), put_into(NAMESPACE, slice_)


def _load_programs(cluster: Cluster) -> None:
    argoexec = cluster.places.programs / "argoexec"
    for name, path, file in (
        ("kfp-driver", "/bin/driver", Path(program(DRIVER))),
        ("kfp-launcher", "/bin/launcher-v2", Path(program(LAUNCHER))),
        ("argoexec", "/bin/argoexec", argoexec),
    ):
        if _IMAGES[name] not in cluster.images():
            settings = {"User": _USER, "Entrypoint": [path], "Env": ["PATH=/bin"], "WorkingDir": "/bin"}
            archive = image_with({path: file}, _IMAGES[name], settings)
            cluster.run("load", archive)
            archive.unlink()


@contextlib.contextmanager
def _argo(cluster: Cluster) -> Iterator[None]:
    """Argo's controller, set as Kubeflow's manifests do (manifests/kustomize/third-party/argo/base)."""
    for file in sorted((_module() / "manifests/base/crds/full").glob("argoproj.io_*.yaml")):
        cluster.kubectl("apply", "--server-side", "-f", file)
    cluster.kubectl("wait", "--for=condition=Established", "crd/workflows.argoproj.io", "--timeout=60s")
    settings = {
        "executor": json.dumps({"imagePullPolicy": "IfNotPresent", "securityContext": _RESTRICTED}),
        "workflowDefaults": json.dumps(
            {"spec": {"templateDefaults": {"retryStrategy": {"limit": "2", "retryPolicy": "OnError"}}}}
        ),
    }
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "workflow-controller-configmap"}}
    cluster.apply(put_into(NAMESPACE, {**config, "data": settings}))
    options = ("--namespaced", "--namespace", NAMESPACE, "--executor-image", _IMAGES["argoexec"])
    command = (cluster.places.programs / "workflow-controller", "--kubeconfig", cluster.kubeconfig, *options)
    quick = {"LEADER_ELECTION_DISABLE": "true", "DEFAULT_REQUEUE_TIME": "1s"}  # 10 s else, twice a step.
    cluster.node.sandbox.spawn("workflow-controller", command, {**os.environ, **quick})
    try:
        yield
    finally:
        cluster.node.sandbox.end("workflow-controller")


def _module() -> Path:
    """Where Go keeps the module that controller and executor were built from."""
    folder = next(find_programs().glob("source/*argo-workflows*"))
    listed = subprocess.run(
        ["go", "list", "-mod=mod", "-m", "-f", "{{.Dir}}", "github.com/argoproj/argo-workflows/v4"],
        cwd=folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return Path(listed.stdout.strip())
