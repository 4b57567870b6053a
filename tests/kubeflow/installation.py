"""Kubeflow Pipelines 2.17 from its own driver and launcher, in the place of what `emulator.py` has by hand.

The programs are those of release 2.17.0.  Around them stand ML Metadata's Python package as its server, a service for
the cache, an object store on a folder, a Kubernetes API that has the launcher's ConfigMap and no more, and of Argo
Workflows the order of tasks (`workflow.py`) and the pod that the compiled workflow and the driver's patch describe.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2

from tests.kubeflow.drivers import ACCOUNT, Driver
from tests.kubeflow.emulator import Backend
from tests.kubeflow.pods import start_pod
from tests.kubeflow.store import CACHED, COMPLETE, FAILED, NOT_TRIGGERED, Artifact, Execution, Json, Store
from tests.kubeflow.workflow import PipelineRun, TaskRun, Workflow
from tests.support.cluster import running_cluster
from tests.support.kubeflow_backend import DRIVER, LAUNCHER, program
from tests.support.metadata_server import cluster, metadata_server
from tests.support.object_store import object_store
from tests.support.task_server import task_server

# v2/compiler/argocompiler/container.go, addContainerExecutorTemplate.
_SCRATCH = ("/gcs", "/s3", "/minio", "/.local", "/.cache", "/.config")
_LAUNCHER = Path("/kfp-launcher/launch")  # v2/component/constants.go, KFPLauncherPath
_REFERENCE = re.compile(r"\$\$|\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)")
_OBJECT_STORE_ACCOUNT = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key"}

BY_HAND, INSTALLED = "rules written by hand", "the programs of Kubeflow Pipelines"
WITHOUT_METADATA = "rules written by hand, without ML Metadata"
ON_PODS = "the programs of Kubeflow Pipelines and Argo Workflows on pods"


@contextlib.contextmanager
def backend(kind: str, bucket: Path, **options: Any) -> Iterator[Any]:
    """One of these, at work while the context is open; skips the test where it cannot be had."""
    if kind in (BY_HAND, WITHOUT_METADATA):
        yield Backend(bucket, has_metadata=kind == BY_HAND, **options)
    elif kind == ON_PODS:
        from tests.kubeflow.real_pods import RealPods, why_not

        if why_not():
            pytest.skip(why_not())
        with running_cluster() as cluster, RealPods(cluster, bucket, **options) as there:
            yield there
    else:
        with Installation(program(DRIVER), program(LAUNCHER), bucket, **options) as there:
            yield there


class Installation:
    """As `emulator.Backend`; where it is open as a context, its servers answer."""

    def __init__(
        self,
        driver: str,
        launcher: str,
        bucket: Path,
        claims: Mapping[str, Path] | None = None,
        secrets: Mapping[str, Mapping[str, str]] | None = None,
        pipeline_root: str = "minio://mlpipeline/v2/artifacts",
    ) -> None:
        """As `emulator.Backend`, after the two programs."""
        self.driver, self.launcher = driver, launcher
        self.store = Store(bucket)
        self.claims, self.secrets = claims or {}, secrets or {}
        self.pipeline_root = pipeline_root
        self.servers = contextlib.ExitStack()

    def __enter__(self) -> Installation:
        bucket = self.pipeline_root.partition("://")[2].partition("/")[0]
        (self.store.bucket / bucket).mkdir(parents=True, exist_ok=True)
        self.metadata, self.metadata_port = self.servers.enter_context(metadata_server())
        self.cache_port, _ = self.servers.enter_context(task_server())
        objects = _launcher_config(self.pipeline_root, self.servers.enter_context(object_store(self.store.bucket)))
        self.cluster = self.servers.enter_context(cluster(objects))
        self.folder = Path(self.servers.enter_context(tempfile.TemporaryDirectory(prefix="installation-")))
        return self

    def __exit__(self, *_: object) -> None:
        self.servers.close()

    def run(self, compiled: str, parameters: Mapping[str, Any] | None = None) -> PipelineRun:
        """Runs the pipeline to its end."""
        run = _Run(self, compiled, dict(parameters or {})).run()
        take_over(self.metadata, self.store, run)
        return run


class _Run(Workflow):
    def __init__(self, there: Installation, compiled: str, parameters: Json) -> None:
        super().__init__(compiled, parameters, there.pipeline_root)
        self.there = there
        folder = there.folder / self.result.id
        folder.mkdir()
        names = {"run_name": f"{self.pipeline}-x7k2p", "run_display_name": f"run of {self.pipeline}"}
        self.drive = Driver(
            there.driver,
            there.metadata_port,
            there.cluster,
            folder,
            there.cache_port,
            pipeline_name=self.pipeline,
            run_id=self.result.id,
            **names,
        )

    def _drive_root(self, parameters: Json) -> Execution:
        root = self.spec["root"]
        said = self.drive("ROOT_DAG", "", component=root, runtime_config={"parameterValues": parameters})
        return Execution(int(said["execution_id"]), "", dag=root["dag"])

    def _drive_group(self, name: str, task: Json, component: Json, parent: Execution) -> Execution | None:
        said = self.drive("DAG", name, component=component, task=task, dag_execution_id=str(parent.id))
        group = Execution(int(said["execution_id"]), name, dag=component["dag"])
        if said["condition"] == "false":
            self.result.tasks[name] = TaskRun(name, NOT_TRIGGERED, execution=group)
            return None
        return group

    def _run_container(self, name: str, task: Json, component: Json, parent: Execution) -> bool | None:
        label = component["executorLabel"]
        began = time.monotonic()
        run = self.result.tasks[name] = TaskRun(name, NOT_TRIGGERED)
        said = self.drive(
            "CONTAINER",
            name,
            component=component,
            task=task,
            dag_execution_id=str(parent.id),
            container=self.spec["deploymentSpec"]["executors"][label]["container"],
            kubernetes_config=self.platform.get(label, {}),
        )
        identity = max(execution.id for execution in self.there.metadata.get_executions())
        run.execution = Execution(identity, name)
        if said["condition"] == "false":
            return None
        if said["cached_decision"] == "true":
            run.state = CACHED
            return True
        retries = task.get("retryPolicy", {}).get("maxRetryCount")
        for attempt in range(1 + int(retries or 0)):
            index = {} if retries is None else {"KFP_RETRY_INDEX": str(attempt)}
            run.attempts += 1
            run.state = COMPLETE if self._pod(run, json.loads(said["pod_spec_patch"]), index) else FAILED
            if run.state == COMPLETE:
                break
        run.seconds = time.monotonic() - began
        return run.state == COMPLETE

    def _pod(self, run: TaskRun, patch: Json, env: Mapping[str, str]) -> bool:
        """The pod of `addContainerExecutorTemplate`, with the driver's patch; whether it ended well."""
        main = patch["containers"][0]
        variables = {
            **_OBJECT_STORE_ACCOUNT,
            # No API server: the launcher asks it for the number of the attempt, where it is not told.
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": "1",
            "KFP_POD_NAME": f"pod-of-{run.name}",
            "KFP_POD_UID": "uid",
            **env,
            **{entry["name"]: self._value(entry) for entry in main.get("env", ())},
        }
        # What Kubernetes makes of a command: https://kubernetes.io/docs/tasks/inject-data-application
        command = [_expand(word, variables) for word in (*main["command"], *main.get("args", ()))]
        with _disk() as disk:
            mounts = {path: _folder(disk, path) for path in (*_SCRATCH, str(_LAUNCHER.parent), ACCOUNT)}
            shutil.copy(self.there.launcher, mounts[str(_LAUNCHER.parent)] / _LAUNCHER.name)
            (mounts[ACCOUNT] / "namespace").write_text("kubeflow")
            (mounts[ACCOUNT] / "token").write_text("token")
            volumes = {volume["name"]: volume for volume in patch.get("volumes", ())}
            for mount in main.get("volumeMounts", ()):
                mounts[mount["mountPath"]] = self._volume(volumes[mount["name"]], disk)
            with start_pod(command, mounts, variables, _folder(disk, "container")) as process:
                run.log, _ = process.communicate(timeout=600)
            run.status = process.returncode
        return process.returncode == 0

    def _volume(self, volume: Json, disk: Path) -> Path:
        if "persistentVolumeClaim" in volume:
            return self.there.claims[volume["persistentVolumeClaim"]["claimName"]]
        if "emptyDir" in volume:
            return _folder(disk, f"volume-{volume['name']}")
        raise NotImplementedError(f"the volume {volume}")

    def _value(self, entry: Json) -> str:
        if "valueFrom" not in entry:
            return str(entry.get("value", ""))
        reference = entry["valueFrom"]["secretKeyRef"]
        return self.there.secrets[reference["name"]][reference["key"]]


def take_over(metadata: MetadataStore, store: Store, run: PipelineRun) -> None:
    """Notes in `store` what the run has left in ML Metadata."""
    types = {kind.id: kind.name for kind in metadata.get_artifact_types()}
    for artifact in metadata.get_artifacts():
        properties = {name: _property(value) for name, value in artifact.custom_properties.items()}
        store.artifacts[artifact.id] = Artifact(artifact.id, artifact.uri, types[artifact.type_id], properties)
    for task in run.tasks.values():
        if task.execution is None:
            continue
        execution = store.executions[task.execution.id] = task.execution
        [noted] = metadata.get_executions_by_id([execution.id])
        execution.state = metadata_store_pb2.Execution.State.Name(noted.last_known_state)
        execution.outputs = json_format.MessageToDict(noted.custom_properties["outputs"].struct_value)
        for event in metadata.get_events_by_execution_ids([execution.id]):
            if event.type == metadata_store_pb2.Event.OUTPUT:
                execution.artifacts[event.path.steps[0].key] = event.artifact_id
        logs = execution.artifacts.get("executor-logs")
        if logs is not None:  # Without the launcher's own lines.
            task.log = store.folder(store.artifacts[logs].uri).read_text()


def _property(value: Any) -> tuple[str, Any]:
    kind = value.WhichOneof("value")
    content = getattr(value, kind)
    return kind.removesuffix("_value"), json_format.MessageToDict(content) if kind == "struct_value" else content


def _launcher_config(pipeline_root: str, endpoint: str) -> Json:
    """The ConfigMap that k8s/base/launcher.yaml has, for the object store here."""
    scheme = pipeline_root.partition("://")[0]
    default = {"endpoint": endpoint, "disableSSL": True, "region": "minio", "credentials": {"fromEnv": True}}
    data = {"defaultPipelineRoot": pipeline_root, "providers": json.dumps({scheme: {"default": default}})}
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kfp-launcher"}, "data": data}
    return {"/api/v1/namespaces/kubeflow/configmaps/kfp-launcher": config}


def _expand(word: str, variables: Mapping[str, str]) -> str:
    return _REFERENCE.sub(lambda m: "$" if m[0] == "$$" else variables.get(m[1], m[0]), word)


@contextlib.contextmanager
def _disk() -> Iterator[Path]:
    disk = Path(tempfile.mkdtemp(prefix="pod-"))
    try:
        yield disk
    finally:
        shutil.rmtree(disk)


def _folder(disk: Path, name: str) -> Path:
    folder = disk / name.strip("/").replace("/", "-")
    folder.mkdir(exist_ok=True)
    return folder
