"""Kubeflow Pipelines' own driver, set to work on a compiled pipeline, a task after the other.

It resolves each task's inputs, decides on conditions and makes the patch of the pod, as on a cluster; ML Metadata and
Kubernetes are those of `tests/support/metadata_server.py`.  `Drivers` runs no pod: what a launcher would note of its
outputs is noted there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2

from tests.kubeflow.pods import start_pod

Json = dict[str, Any]

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
_OUTPUTS = {
    "ROOT_DAG": ("execution_id", "iteration_count", "condition"),
    "DAG": ("execution_id", "iteration_count", "condition"),
    "CONTAINER": ("pod_spec_patch", "cached_decision", "condition"),
}


class Refused(Exception):
    """A driver has ended with an error: its last words."""


class Driven(NamedTuple):
    """What a driver said of a task that runs a container."""

    triggered: bool
    pod: Json

    @property
    def inputs(self) -> Json:
        """What the container would get."""
        command = self.pod["containers"][0]["command"]
        return json.loads(command[command.index("--executor_input") + 1])["inputs"]


class Driver:
    """The driver of one run's tasks.

    Args:
        program: Its path.
        metadata_port: Of ML Metadata's service.
        cluster: Address of the Kubernetes API.
        folder: For files.
        cache_port: Of the API server's service for the cache, if tasks may be cached.
        **options: More of its command line.
    """

    def __init__(
        self,
        program: str,
        metadata_port: int,
        cluster: str,
        folder: Path,
        cache_port: int | None = None,
        **options: str,
    ) -> None:
        self.program, self.folder, self.calls = Path(program), folder, 0
        self.options: Json = {
            "pipeline_name": "pipeline/small",
            "run_id": "run-id",
            "run_name": "run-name",
            "run_display_name": "a run",
            "pipeline_job_create_time_utc": "2026-01-01T00:00:00Z",
            "mlmd_server_address": "127.0.0.1",
            "mlmd_server_port": metadata_port,
            "ml_pipeline_server_address": "127.0.0.1",
            "ml_pipeline_server_port": cache_port or 1,
            "cache_disabled": str(cache_port is None).lower(),
            **dict.fromkeys(("http_proxy", "https_proxy", "no_proxy"), ""),
            **options,
        }
        self.account = folder / "account"
        self.account.mkdir()
        (self.account / "namespace").write_text("kubeflow")
        (self.account / "config").write_text(json.dumps(_kubeconfig(cluster)))

    def __call__(self, kind: str, name: str, **inputs: Any) -> dict[str, str]:
        """What it says of one task.

        Args:
            kind: ROOT_DAG, DAG or CONTAINER.
            name: The task's.
            inputs: Of its command line; what is no text is given as JSON.

        Raises:
            Refused: it fails.
        """
        self.calls += 1
        disk = self.folder / f"driver-{self.calls}"
        (disk / "said").mkdir(parents=True)
        mounts = {"/said": disk / "said", "/program": self.program.parent, ACCOUNT: self.account}
        options = {
            **self.options,
            "type": kind,
            "task_name": name,
            **{key: value if isinstance(value, str) else json.dumps(value) for key, value in inputs.items()},
            **{f"{output}_path": f"/said/{output}" for output in _OUTPUTS[kind]},
        }
        command = [f"/program/{self.program.name}", *(f"--{key}={value}" for key, value in options.items())]
        with start_pod(command, mounts, {"KUBECONFIG": f"{ACCOUNT}/config"}, disk) as process:
            log, _ = process.communicate(timeout=60)
        if process.returncode != 0:
            raise Refused(_last_words(log))
        said = {output: disk / "said" / output for output in _OUTPUTS[kind]}
        return {output: path.read_text() if path.exists() else "" for output, path in said.items()}


class Drivers:
    """A run of a compiled pipeline, its pods left out.

    Args:
        program: The driver.
        store: Where the drivers write, behind a server on `port`.
        port: Of ML Metadata's service.
        cluster: Address of the Kubernetes API.
        folder: For files.
        outputs: What tasks are to have given: task → output parameter → value; an empty text else.
    """

    def __init__(
        self,
        program: str,
        store: MetadataStore,
        port: int,
        cluster: str,
        folder: Path,
        outputs: Mapping[str, Mapping[str, str]],
    ) -> None:
        self.store, self.outputs = store, outputs
        self.drive = Driver(program, port, cluster, folder)
        self.driven: dict[str, Driven] = {}

    def run(self, spec: Json, executors: Json) -> dict[str, Driven]:
        """Drives all tasks.

        Args:
            spec: The PipelineSpec.
            executors: Of the platform document.

        Raises:
            Refused: a driver fails.
        """
        definitions = spec["root"].get("inputDefinitions", {}).get("parameters", {})
        values = {name: parameter["defaultValue"] for name, parameter in definitions.items()}
        runtime = {"parameterValues": values, "gcsOutputDirectory": "minio://bucket/root"}
        said = self.drive("ROOT_DAG", "", component=spec["root"], runtime_config=runtime)
        self._run_group(spec, executors, spec["root"], said["execution_id"])
        return self.driven

    def _run_group(self, spec: Json, executors: Json, group: Json, execution: str) -> None:
        for name, task in _in_order(group["dag"]["tasks"]):
            component = spec["components"][task["componentRef"]["name"]]
            common = {"component": component, "task": task, "dag_execution_id": execution}
            if "dag" in component:
                said = self.drive("DAG", name, **common)
                if said["condition"] != "false":
                    self._run_group(spec, executors, component, said["execution_id"])
                continue
            label = component["executorLabel"]
            container = spec["deploymentSpec"]["executors"][label]["container"]
            kubernetes = executors.get(label, {})
            said = self.drive("CONTAINER", name, **common, container=container, kubernetes_config=kubernetes)
            self.driven[name] = Driven(said["condition"] != "false", json.loads(said["pod_spec_patch"] or "{}"))
            self._complete(name, component)

    def _complete(self, task: str, component: Json) -> None:
        """Notes what the launcher would: v2/component/launcher_v2.go, publish."""
        outputs = component.get("outputDefinitions", {})
        execution = max(
            (e for e in self.store.get_executions() if e.custom_properties["task_name"].string_value == task),
            key=lambda e: e.id,
        )
        execution.last_known_state = metadata_store_pb2.Execution.COMPLETE
        for name in outputs.get("parameters", {}):
            value = self.outputs.get(task, {}).get(name, "")
            execution.custom_properties["outputs"].struct_value.fields[name].string_value = value
        self.store.put_executions([execution])
        for name, definition in outputs.get("artifacts", {}).items():
            self._note_artifact(execution, name, definition["artifactType"].get("schemaTitle", "system.Artifact"))

    def _note_artifact(self, execution: Any, name: str, kind: str) -> None:
        type_id = self.store.put_artifact_type(metadata_store_pb2.ArtifactType(name=kind))
        artifact = metadata_store_pb2.Artifact(type_id=type_id, uri=f"minio://bucket/root/{name}")
        artifact.state = metadata_store_pb2.Artifact.LIVE
        artifact.custom_properties["display_name"].string_value = name
        [artifact_id] = self.store.put_artifacts([artifact])
        event = metadata_store_pb2.Event(artifact_id=artifact_id, execution_id=execution.id)
        event.type = metadata_store_pb2.Event.OUTPUT
        event.path.steps.add().key = name
        self.store.put_events([event])


def _last_words(log: str) -> str:
    lines = [line for line in log.splitlines() if "failed" in line or "panic" in line]
    return (lines or log.splitlines() or ["nothing"])[-1]


def _kubeconfig(address: str) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "here", "cluster": {"server": address}}],
        "users": [{"name": "me", "user": {}}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
        "current-context": "here",
    }


def _in_order(tasks: Json) -> Iterator[tuple[str, Json]]:
    """Each task after those that it depends on."""
    done: set[str] = set()
    while len(done) < len(tasks):
        ready = [name for name, task in tasks.items() if name not in done and _upstream(task) <= done]
        if not ready:
            raise ValueError(f"{sorted(set(tasks) - done)} wait for each other")
        for name in ready:
            done.add(name)
            yield name, tasks[name]


def _upstream(task: Json) -> set[str]:
    inputs = task.get("inputs", {})
    values = [*inputs.get("parameters", {}).values(), *inputs.get("artifacts", {}).values()]
    outputs = [value.get("taskOutputParameter") or value.get("taskOutputArtifact") or {} for value in values]
    return {*task.get("dependentTasks", []), *(output["producerTask"] for output in outputs if output)}
