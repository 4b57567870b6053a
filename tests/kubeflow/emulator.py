"""Runs a compiled pipeline as the driver and the launcher of Kubeflow Pipelines 2.17 do, without a cluster.

It knows nothing of this project but the compiled YAML.  Each rule names the function of kubeflow/pipelines that it
mirrors; `v2/` stands for `backend/src/v2/`.  Tasks run one after the other, a pod each (`pods.py`), whose disk is
deleted when it ends.  What is not needed here and not mirrored (loops, importers, one-of outputs, selectors, optional
parameters of nested DAGs) raises NotImplementedError instead of being passed over.
"""

from __future__ import annotations

import contextlib
import copy
import json
import re
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from tests.kubeflow.pods import StartPod, start_pod
from tests.kubeflow.store import (
    CACHED,
    COMPLETE,
    FAILED,
    NOT_TRIGGERED,
    UNFILED,
    Execution,
    Json,
    Store,
    fingerprint,
    go_json,
)
from tests.kubeflow.workflow import PipelineRun, TaskRun, Workflow

_SCRATCH = ("/gcs", "/s3", "/minio")  # v2/compiler/argocompiler/container.go, addContainerExecutorTemplate
_CONDITION = re.compile(r"^inputs\.parameter_values\['([^']+)'\] (==|!=) '([^']*)'$")
_PARAMETER = re.compile(r"\{\{\$\.inputs\.parameters\['(.+?)'\]\}\}")
_TRUE, _FALSE = ("1", "t", "T", "TRUE", "true", "True"), ("0", "f", "F", "FALSE", "false", "False")  # strconv.ParseBool
_TASK_STATES = {COMPLETE: "SUCCEEDED", NOT_TRIGGERED: "SKIPPED"}
"""As they are called without ML Metadata: backend/api/v2beta1/run.proto, PipelineTask.TaskState."""

_KINDS = {"NUMBER_INTEGER": float, "NUMBER_DOUBLE": float, "BOOLEAN": bool, "LIST": list, "STRUCT": dict}


class StepFailed(Exception):
    """A container ended with another status than 0, or the launcher could not go on."""


class Backend:
    """One installation of Kubeflow Pipelines: bucket, metadata, cache, and the namespace of the runs."""

    def __init__(
        self,
        bucket: Path,
        claims: Mapping[str, Path] | None = None,
        secrets: Mapping[str, Mapping[str, str]] | None = None,
        on_start: Callable[[str, int], None] | None = None,
        pipeline_root: str = "minio://mlpipeline/v2/artifacts",
        start: StartPod = start_pod,
        has_metadata: bool = True,
    ) -> None:
        """Sets it up.

        Args:
            bucket: The folder that plays the object store.
            claims: PersistentVolumeClaim → the folder that plays its volume.
            secrets: Secret → key → value.
            on_start: Is told of each container that starts: task and process id.
            pipeline_root: Of all runs.  The one in the compiled file is not read: v2/driver/root_dag.go, RootDAG.
            start: Starts a container's process, see `pods.start_pod`.
            has_metadata: Whether there is ML Metadata, as in 2.17; afterwards the API server keeps what it kept.
        """
        self.store = Store(bucket, has_metadata)
        self.claims = claims or {}
        self.secrets = secrets or {}
        self.on_start = on_start
        self.pipeline_root = pipeline_root
        self.start = start

    def run(self, compiled: str, parameters: Mapping[str, Any] | None = None) -> PipelineRun:
        """Runs the pipeline to its end."""
        return _Run(self, compiled, dict(parameters or {})).run()


class _Run(Workflow):
    def __init__(self, backend: Backend, compiled: str, parameters: Json) -> None:
        super().__init__(compiled, parameters, backend.pipeline_root)
        self.backend, self.store = backend, backend.store

    def _drive_root(self, parameters: Json) -> Execution:
        """v2/driver/root_dag.go, RootDAG: without an expected number of tasks."""
        return self.store.create("", inputs=parameters, dag=self.spec["root"]["dag"])

    def _drive_group(self, name: str, task: Json, component: Json, parent: Execution) -> Execution | None:
        """v2/driver/dag.go, DAG."""
        inputs = self._resolve_inputs(name, task, component, parent)
        triggered = _holds(task, inputs)
        fields = {"inputs": inputs["parameterValues"], "input_artifacts": _ids(inputs), "dag": component["dag"]}
        dag = self.store.create(name, parent=parent.id, expected=len(component["dag"]["tasks"]), **fields)
        if not triggered:
            dag.state = NOT_TRIGGERED
            self._settle(parent)
            self.result.tasks[name] = TaskRun(name, NOT_TRIGGERED, execution=dag)
            return None
        return dag

    def _settle(self, parent: Execution) -> None:
        """Without ML Metadata drivers settle the state of a group too: v2/driver/container.go, UpdateStatuses."""
        if not self.store.has_metadata:
            self.store.update_dag_state(parent)

    def _run_container(self, name: str, task: Json, component: Json, parent: Execution) -> bool | None:
        """v2/driver/container.go, Container, and v2/component/launcher_v2.go, Execute."""
        executor: Json = self.spec["deploymentSpec"]["executors"][component["executorLabel"]]
        if "container" not in executor:
            raise NotImplementedError("executors that are no container")
        container: Json = executor["container"]
        began = time.monotonic()
        inputs = self._resolve_inputs(name, task, component, parent)
        fields = {"inputs": inputs["parameterValues"], "input_artifacts": _ids(inputs)}
        execution = self.store.create(name, parent=parent.id, **fields)
        run = self.result.tasks[name] = TaskRun(name, NOT_TRIGGERED, execution=execution)
        if not _holds(task, inputs):
            execution.state = NOT_TRIGGERED
            self._settle(parent)
            return None
        executor_input = {"inputs": inputs, "outputs": self._provision_outputs(name, component)}
        platform: Json = self.platform.get(component["executorLabel"], {})
        key = self._cache_key(task, component, container, executor_input, platform)
        if key in self.store.cache:
            # v2/driver/cache.go, reuseCachedOutputs; no launcher, so that no DAG's state is updated either.
            earlier = self.store.executions[self.store.cache[key]]
            execution.outputs, execution.artifacts = earlier.outputs, earlier.artifacts
            execution.state = run.state = CACHED
            self._settle(parent)
            return True
        for attempt in range(1 + int(task.get("retryPolicy", {}).get("maxRetryCount", 0))):
            launcher = _Launcher(self, run, component, container, platform, executor_input, attempt)
            execution.state = run.state = launcher.execute(execution)
            self.store.update_dag_state(parent)
            if run.state == COMPLETE:
                break
        run.seconds = time.monotonic() - began
        if run.state == COMPLETE and key:
            self.store.cache[key] = execution.id
        return run.state == COMPLETE

    def _resolve_inputs(self, name: str, task: Json, component: Json, dag: Execution) -> Json:
        """v2/driver/resolve.go, resolveInputs."""
        declared: Json = component.get("inputDefinitions", {}).get("parameters", {})
        given: Json = task.get("inputs", {}).get("parameters", {})
        values = {key: self._resolve_parameter(spec, task, dag) for key, spec in given.items()}
        for key, spec in declared.items():
            if key in values:
                values[key] = _converted(key, values[key], spec["parameterType"])
            elif not spec.get("isOptional"):
                if "defaultValue" not in spec:
                    raise ValueError(f"{name}: neither value nor default value for the parameter {key!r}")
                values[key] = _converted(key, None, spec["parameterType"])
        artifacts: Json = task.get("inputs", {}).get("artifacts", {})
        lists = {key: {"artifacts": self._resolve_artifact(spec, dag)} for key, spec in artifacts.items()}
        return {"parameterValues": values, "artifacts": lists}

    def _resolve_parameter(self, spec: Json, task: Json, dag: Execution) -> Any:
        """v2/driver/resolve.go, resolveInputParameter."""
        if "parameterExpressionSelector" in spec:
            raise NotImplementedError("parameterExpressionSelector")
        if "componentInputParameter" in spec:
            return dag.inputs[spec["componentInputParameter"]]
        if "runtimeValue" in spec:
            value = spec["runtimeValue"]["constant"]
            return self._expanded(value) if isinstance(value, str) else value
        if "taskFinalStatus" in spec:
            producer = self.store.children(dag)[task["dependentTasks"][0]]
            return {
                "state": producer.state
                if self.store.has_metadata
                else _TASK_STATES.get(producer.state, producer.state),
                "pipelineJobResourceName": f"{self.pipeline}-x7k2p",
                "pipelineTaskName": producer.task,
                "error": {} if self.store.has_metadata or producer.state != FAILED else {"code": 2},
            }
        source = spec["taskOutputParameter"]
        producer, key = self._producer(dag, source["producerTask"], source["outputParameterKey"], "parameters")
        return producer.outputs[key]

    def _expanded(self, constant: str) -> str:
        """v2/driver/resolve.go, resolveInputParameter; only a constant that is nothing else is expanded.

        The scheduled time is the creation time for all runs: v2/cmd/driver/main.go, resolvePipelineJobTimes, takes it
        from the workflow's label `workflowEpoch`, which apiserver/resource/resource_manager.go, CreateRun, sets to
        CreatedAtInSec, and without the label the workflow's creation time.
        """
        if "{{$.workspace_path}}" in constant or constant.startswith("{{$.pipeline_task_"):
            raise NotImplementedError(constant)
        placeholders = {
            "{{$.pipeline_job_uuid}}": self.result.id,
            "{{$.pipeline_job_name}}": f"run of {self.pipeline}",
            "{{$.pipeline_job_resource_name}}": f"{self.pipeline}-x7k2p",
            "{{$.pipeline_job_create_time_utc}}": self.created,
            "{{$.pipeline_job_schedule_time_utc}}": self.created,
        }
        return placeholders.get(constant, constant)

    def _resolve_artifact(self, spec: Json, dag: Execution) -> list[Json]:
        """v2/driver/resolve.go, resolveInputArtifact."""
        if "componentInputArtifact" in spec:
            return [self.store.runtime_artifact(i) for i in dag.input_artifacts[spec["componentInputArtifact"]]]
        source = spec["taskOutputArtifact"]
        producer, key = self._producer(dag, source["producerTask"], source["outputArtifactKey"], "artifacts")
        return [self.store.runtime_artifact(producer.artifacts[key])]

    def _producer(self, dag: Execution, task: str, key: str, what: str) -> tuple[Execution, str]:
        """v2/driver/resolve.go, resolveUpstreamParameters and GetProducerTask: through nested DAGs to a container."""
        producer = self.store.children(dag)[task]
        while producer.dag is not None:
            output = producer.dag["outputs"][what][key]
            selector = output["valueFromParameter"] if what == "parameters" else _only(output["artifactSelectors"])
            key = selector["outputParameterKey" if what == "parameters" else "outputArtifactKey"]
            producer = self.store.children(producer)[selector["producerSubtask"]]
        return producer, key

    def _provision_outputs(self, task: str, component: Json) -> Json:
        """v2/driver/driver.go, provisionOutputs, with PUBLISH_LOGS=true, which is the default."""
        declared: Json = component.get("outputDefinitions", {})
        logs = {"executor-logs": {"artifactType": {"schemaTitle": "system.Artifact"}}}
        root = f"{self.result.root}/{task}/{uuid.uuid4()}"
        artifacts = {
            name: {"artifacts": [{"name": name, "uri": f"{root}/{name}", "type": spec["artifactType"], **_extra(spec)}]}
            for name, spec in {**declared.get("artifacts", {}), **logs}.items()
        }
        parameters = {name: {"outputFile": f"/tmp/kfp/outputs/{name}"} for name in declared.get("parameters", {})}
        output_file = f"{local_path_for_uri(root)}/output_metadata.json"
        return {"artifacts": artifacts, "parameters": parameters, "outputFile": output_file}

    def _cache_key(
        self, task: Json, component: Json, container: Json, executor_input: Json, platform: Json
    ) -> tuple[str, str] | None:
        """v2/driver/cache.go, getFingerPrint, and v2/cacheutils/cache.go, GenerateCacheKey."""
        if not task.get("cachingOptions", {}).get("enableCache"):
            return None
        inputs, outputs = executor_input["inputs"], executor_input["outputs"]
        types: Json = component.get("outputDefinitions", {}).get("parameters", {})
        key = {
            "inputArtifactNames": {
                name: [artifact.get("artifactId") or artifact["name"] for artifact in artifacts["artifacts"]]
                for name, artifacts in inputs["artifacts"].items()
            },
            "inputParameterValues": inputs["parameterValues"],
            "outputArtifactsSpec": {
                name: {part: value for part, value in artifacts["artifacts"][0].items() if part != "uri"}
                for name, artifacts in outputs["artifacts"].items()
            },
            "outputParametersSpec": {name: types[name]["parameterType"] for name in outputs["parameters"]},
            "containerSpec": {
                "image": container["image"],
                "cmdArgs": [*container.get("command", ()), *container.get("args", ())],
                "pvcNames": sorted({_claim(mount) for mount in platform.get("pvcMount", ())}),
            },
        }
        return self.pipeline, fingerprint(key)


class _Launcher:
    """One attempt of one container: v2/component/launcher_v2.go."""

    def __init__(
        self, run: _Run, task: TaskRun, component: Json, container: Json, platform: Json, given: Json, attempt: int
    ) -> None:
        self.run, self.task, self.store = run, task, run.store
        self.component, self.container, self.platform = component, container, platform
        self.input: Json = copy.deepcopy(given)
        # qualifyExecutorLogsURI
        self.input["outputs"]["artifacts"]["executor-logs"]["artifacts"][0]["uri"] += f"-{attempt}"

    def execute(self, execution: Execution) -> str:
        """executeV2: download, run, collect, upload.

        Of a command that failed the log is kept, of one whose outputs cannot be taken nothing.
        """
        self.task.attempts += 1
        with self._disk() as disk:
            local = _LocalDisk(disk)
            try:
                output = self._run(local)
            except StepFailed as error:
                self.task.log += f"{error}\n" if self.task.status == 0 else ""
                logs = {"executor-logs": self.input["outputs"]["artifacts"]["executor-logs"]}
                execution.artifacts = self._upload(local, {}, logs)
                return FAILED
            try:
                outputs = self._output_parameters(local, output)
                execution.artifacts = self._upload(local, output, self.input["outputs"]["artifacts"])
            except StepFailed as error:
                self.task.log += f"{error}\n"
                return FAILED
            execution.outputs = outputs
        return COMPLETE

    @contextlib.contextmanager
    def _disk(self) -> Iterator[Path]:
        disk = Path(tempfile.mkdtemp(prefix="pod-"))
        try:
            yield disk
        finally:
            shutil.rmtree(disk)

    def _run(self, local: _LocalDisk) -> Json:
        """execute: downloadArtifacts, prepareOutputFolders, the container's process, getExecutorOutputFile."""
        for artifacts in self.input["inputs"]["artifacts"].values():
            for artifact in artifacts["artifacts"]:
                self.store.download(artifact["uri"], local.path(local_path_for_uri(artifact["uri"])))
        outputs = self.input["outputs"]
        for parameter in outputs["parameters"].values():
            local.path(parameter["outputFile"]).parent.mkdir(parents=True, exist_ok=True)
        for artifacts in outputs["artifacts"].values():
            local.path(local_path_for_uri(_only(artifacts["artifacts"])["uri"])).parent.mkdir(
                parents=True, exist_ok=True
            )
        command = self._command()
        with self.run.backend.start(
            command, {**local.mounts, **self._claims()}, self._env(), local.folder("container")
        ) as process:
            if self.run.backend.on_start:
                self.run.backend.on_start(self.task.name, process.pid)
            self.task.log, _ = process.communicate(timeout=600)
        self.task.status = process.returncode
        # getLogWriter: the log is copied to the artifact while it is written.
        logs = local.path(local_path_for_uri(_only(outputs["artifacts"]["executor-logs"]["artifacts"])["uri"]))
        logs.write_text(self.task.log)
        if process.returncode != 0:
            raise StepFailed(f"exit status {process.returncode}")
        return _executor_output(local.path(outputs["outputFile"]))

    def _command(self) -> list[str]:
        """v2/driver/util.go, resolveContainerArgs, then compileCmdAndArgs, with addDefaultParams for `{{$}}`."""
        declared: Json = self.component.get("inputDefinitions", {}).get("parameters", {})
        defaults = {name: spec["defaultValue"] for name, spec in declared.items() if "defaultValue" in spec}
        values = {**defaults, **self.input["inputs"]["parameterValues"]}
        whole = {
            "inputs": _without_empty({**self.input["inputs"], "parameterValues": values}),
            "outputs": _without_empty(self.input["outputs"]),
        }
        words = [*self.container.get("command", ()), *self.container.get("args", ())]
        if any('{"IfPresent":' in word for word in words):
            raise NotImplementedError("IfPresent")
        words = [_PARAMETER.sub(lambda match: _text(values[match[1]]), word) for word in words]
        words = [word.replace("{{$}}", go_json(whole)) for word in words]
        if any("{{$.outputs" in word or "{{$.inputs" in word for word in words):
            raise NotImplementedError("placeholders of artifacts")
        longest = max(len(word.encode()) for word in words)
        assert longest < 128 * 1024, "Linux refuses longer arguments"
        return words

    def _env(self) -> dict[str, str]:
        """v2/driver/driver.go, initPodSpecPatch, and v2/driver/k8s.go, extendPodSpecPatch (secretAsEnv)."""
        env = {entry["name"]: entry["value"] for entry in self.container.get("env", ())}
        for secret in self.platform.get("secretAsEnv", ()):
            name = secret.get("secretName") or secret["secretNameParameter"]["runtimeValue"]["constant"]
            for key in secret["keyToEnv"]:
                env[key["envVar"]] = self.run.backend.secrets[name][key["secretKey"]]
        return env

    def _claims(self) -> dict[str, Path]:
        """v2/driver/k8s.go, makeVolumeMountPatch."""
        return {m["mountPath"]: self.run.backend.claims[_claim(m)] for m in self.platform.get("pvcMount", ())}

    def _output_parameters(self, local: _LocalDisk, output: Json) -> Json:
        """collectOutputParameters: what the output file has wins over the files of the parameters."""
        values = dict(output.get("parameterValues", {}))
        for name, parameter in self.input["outputs"]["parameters"].items():
            if name in values:
                continue
            file = local.path(parameter["outputFile"])
            if not file.exists():
                raise StepFailed(f"failed to read output parameter name={name!r}: no such file")
            kind = self.component["outputDefinitions"]["parameters"][name]["parameterType"]
            values[name] = _value(name, file.read_text(), kind)
        return values

    def _upload(self, local: _LocalDisk, output: Json, artifacts: Json) -> dict[str, int]:
        """uploadOutputArtifacts: an output that is not there is recorded all the same."""
        recorded = {}
        for name, declared in artifacts.items():
            artifact = _only(declared["artifacts"])
            written = output.get("artifacts", {}).get(name, {}).get("artifacts", ())
            if written and name != "executor-logs":
                _merge_runtime_artifacts(written[0], artifact)
            there = self._upload_files(local, name, artifact)
            if there or name != "executor-logs":
                try:
                    recorded[name] = self.store.record(name, artifact)
                except ValueError as error:
                    raise StepFailed(f"unable to produce MLMD artifact for output {name!r}: {error}") from None
        return recorded

    def _upload_files(self, local: _LocalDisk, name: str, artifact: Json) -> bool:
        """What is in no store is not taken along; what is not below the run's root is refused (KeyFromURI)."""
        uri = artifact["uri"]
        if not self.store.has_metadata and artifact["type"].get("schemaTitle") in UNFILED:
            return True
        try:
            path = local_path_for_uri(uri)
        except StepFailed:
            return False
        if not uri.startswith(f"{self.run.result.root}/"):
            raise StepFailed(f"failed to upload output artifact {name!r}: {uri} is not in {self.run.result.root}")
        there = self.store.upload(local.path(path), uri)
        if not there and not self.store.has_metadata and name != "executor-logs":
            raise StepFailed(f"declared output artifact {name!r} is missing at {path!r}")
        return there


class _LocalDisk:
    """The folders that a pod writes to, as the launcher sees them."""

    def __init__(self, disk: Path) -> None:
        self._disk = disk
        self.mounts = {root: self.folder(root.strip("/")) for root in (*_SCRATCH, "/tmp")}

    def folder(self, name: str) -> Path:
        folder = self._disk / name
        folder.mkdir(exist_ok=True)
        return folder

    def path(self, path: str) -> Path:
        """Where the pod's `path` is on this machine."""
        root = next(root for root in self.mounts if path.startswith(f"{root}/"))
        return self.mounts[root] / path[len(root) + 1 :]


def local_path_for_uri(uri: str) -> str:
    """v2/component/launcher_v2.go, LocalPathForURI."""
    for scheme, root in (("gs://", "/gcs/"), ("minio://", "/minio/"), ("s3://", "/s3/")):
        if uri.startswith(scheme):
            return root + uri[len(scheme) :]
    raise StepFailed(f"failed to generate local path for URI {uri}: unsupported storage scheme")


def _executor_output(file: Path) -> Json:
    """v2/component/launcher_v2.go, getExecutorOutputFile: what the message does not have is refused."""
    if not file.exists():
        return {}
    try:
        output = json_format.Parse(file.read_text(), pipeline_spec_pb2.ExecutorOutput())
    except json_format.ParseError as error:
        raise StepFailed(f"failed to unmarshall ExecutorOutput in file {str(file)!r}: {error}") from None
    read: Json = json_format.MessageToDict(output)
    return read


def _value(name: str, text: str, kind: str) -> Any:
    """v2/metadata/converter.go, TextToPbValue."""
    if kind == "STRING":
        return text
    try:
        if kind == "BOOLEAN":
            return {**dict.fromkeys(_TRUE, True), **dict.fromkeys(_FALSE, False)}[text.strip()]
        value = {"NUMBER_INTEGER": int, "NUMBER_DOUBLE": float}.get(kind, json.loads)(text)
    except (ValueError, KeyError) as error:
        raise StepFailed(f"failed to read output parameter name={name!r} type={kind}: {error}") from None
    if kind in ("LIST", "STRUCT") and not isinstance(value, _KINDS[kind]):
        raise StepFailed(f"failed to read output parameter name={name!r} type={kind}: unexpected type")
    return value


def _without_empty(values: Json) -> Json:
    """As protojson.Marshal, which leaves out maps that are empty."""
    return {name: value for name, value in values.items() if value != {}}


def _merge_runtime_artifacts(source: Json, target: Json) -> None:
    """v2/component/launcher_v2.go, mergeRuntimeArtifacts."""
    if source.get("uri"):
        target["uri"] = source["uri"]
    if source.get("metadata") is not None:
        target["metadata"] = {**(target.get("metadata") or {}), **source["metadata"]}


def _converted(name: str, value: Any, kind: str) -> Any:
    """v2/driver/resolve.go, handleParamTypeValidationAndConversion: texts take all, the others only their own.

    The default of a parameter that is not optional is not taken: `None`.
    """
    if kind == "STRING":
        return _text(value)
    if kind == "TASK_FINAL_STATUS":
        return value
    value = float(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(value, _KINDS[kind]):
        raise ValueError(f"input parameter {name!r} type mismatch: expect {kind}, got {type(value).__name__}")
    return value


def _text(value: Any) -> str:
    """v2/metadata/converter.go, PbValueToText."""
    if value is None:
        return ""
    return value if isinstance(value, str) else go_json(value)


def _holds(task: Json, inputs: Json) -> bool:
    """v2/expression/expression.go, Condition, for the comparisons of parameters with texts that are used here."""
    condition: str = task.get("triggerPolicy", {}).get("condition", "")
    if not condition:
        return True
    comparison = _CONDITION.match(condition)
    if not comparison:
        raise NotImplementedError(f"the condition {condition}")
    return (inputs["parameterValues"][comparison[1]] == comparison[3]) is (comparison[2] == "==")


def _ids(inputs: Json) -> dict[str, list[int]]:
    """v2/metadata/client.go, GenerateExecutionConfig."""
    return {
        name: [int(a.get("artifactId") or a["name"]) for a in artifacts["artifacts"]]
        for name, artifacts in inputs["artifacts"].items()
    }


def _extra(spec: Json) -> Json:
    return {"metadata": dict(spec["metadata"])} if spec.get("metadata") else {}


def _claim(mount: Json) -> str:
    return mount.get("constant") or mount["pvcNameParameter"]["runtimeValue"]["constant"]


def _only(values: list[Json]) -> Json:
    if len(values) != 1:
        raise NotImplementedError("several values")
    return values[0]
