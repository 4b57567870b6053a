"""What Kubeflow Pipelines 2.17 keeps of runs: metadata, as unkind as the real one, and the bucket.

Paths are those of kubeflow/pipelines, `v2/` standing for `backend/src/v2/`.  What is marked as "without ML Metadata" is
a backend after 2.17, in which the API server keeps tasks and artifacts.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

Json = dict[str, Any]

COMPLETE, FAILED, CACHED, RUNNING, NOT_TRIGGERED = "COMPLETE", "FAILED", "CACHED", "RUNNING", "CANCELED"
METRICS = "system.Metrics"
UNFILED = (METRICS, "system.ClassificationMetrics", "system.SlicedClassificationMetrics")
"""Types of which a backend without ML Metadata keeps the metadata alone."""

ENDED_WELL = (COMPLETE, CACHED, NOT_TRIGGERED)


@dataclasses.dataclass
class Artifact:
    """v2/metadata/client.go, RecordArtifact: everything is a custom property, with the kind of its MLMD value."""

    id: int
    uri: str
    type: str
    properties: dict[str, tuple[str, Any]]


@dataclasses.dataclass
class Execution:
    """v2/metadata/client.go, CreateExecution: a task or a DAG."""

    id: int
    task: str
    state: str = RUNNING
    parent: int | None = None
    inputs: Json = dataclasses.field(default_factory=dict)
    input_artifacts: dict[str, list[int]] = dataclasses.field(default_factory=dict)
    outputs: Json = dataclasses.field(default_factory=dict)
    artifacts: dict[str, int] = dataclasses.field(default_factory=dict)
    dag: Json | None = None
    expected: int = 0


class Store:
    """The metadata store, the cache's table, and the bucket's folder."""

    def __init__(self, bucket: Path, has_metadata: bool = True) -> None:
        self.bucket = bucket
        self.has_metadata = has_metadata
        self.executions: dict[int, Execution] = {}
        self.artifacts: dict[int, Artifact] = {}
        self.cache: dict[tuple[str, str], int] = {}
        self._ids = itertools.count(1)

    def create(self, task: str, **fields: Any) -> Execution:
        """Adds an execution."""
        execution = Execution(next(self._ids), task, **fields)
        self.executions[execution.id] = execution
        return execution

    def children(self, dag: Execution) -> dict[str, Execution]:
        """v2/metadata/client.go, GetExecutionsInDAG."""
        return {e.task: e for e in self.executions.values() if e.parent == dag.id}

    def record(self, name: str, artifact: Json) -> int:
        """v2/metadata/client.go, RecordArtifact, and v2/metadata/converter.go, toMLMDArtifact."""
        if not self.has_metadata:
            return self._record_plainly(artifact)
        properties = {key: to_mlmd(value) for key, value in (artifact.get("metadata") or {}).items()}
        properties.setdefault("display_name", ("string", name))
        properties.setdefault("store_session_info", ("string", '{"Provider":"minio","Params":{"fromEnv":"true"}}'))
        recorded = Artifact(next(self._ids), artifact["uri"], _title(artifact["type"]), properties)
        self.artifacts[recorded.id] = recorded
        return recorded.id

    def _record_plainly(self, artifact: Json) -> int:
        """Without ML Metadata: v2/component/launcher_v2.go, uploadOutputArtifacts; figures are numbers without URI."""
        title, metadata = _title(artifact["type"]), artifact.get("metadata") or {}
        strange = [
            key for key, value in metadata.items() if isinstance(value, bool) or not isinstance(value, (int, float))
        ]
        if title == METRICS and strange:
            raise ValueError(f"metric value {strange[0]!r} must be a number")
        uri = "" if title in UNFILED else artifact["uri"]
        properties = {key: ("plain", value) for key, value in metadata.items()}
        recorded = Artifact(next(self._ids), uri, title, properties)
        self.artifacts[recorded.id] = recorded
        return recorded.id

    def runtime_artifact(self, identity: int) -> Json:
        """v2/metadata/converter.go, toRuntimeArtifact: the name is the id, and the type is lost.

        The empty schema is of GetOutputArtifactsByExecutionId ("TODO: figure out how to get schema").
        """
        artifact = self.artifacts[identity]
        if not self.has_metadata:
            # v2/driver/container.go, convertArtifactToRuntimeArtifact; the name is that of the output, here the id's.
            plain = {key: value for key, (_, value) in artifact.properties.items()}
            kind = {"schemaTitle": artifact.type}
            return {"name": "made", "artifactId": str(identity), "uri": artifact.uri, "type": kind, "metadata": plain}
        metadata = {key: from_mlmd(value) for key, value in artifact.properties.items()}
        return {"name": str(identity), "uri": artifact.uri, "type": {"instanceSchema": ""}, "metadata": metadata}

    def update_dag_state(self, dag: Execution) -> None:
        """v2/metadata/client.go, UpdateDAGExecutionsState: only launchers call it, so a DAG whose last task is cached
        or not triggered goes on "running" for ever; and the root has no expected number of tasks."""
        if dag.expected == 0:
            return
        states = [task.state for task in self.children(dag).values()]
        if not self.has_metadata:
            self._update_plainly(dag, states)
            return
        if sum(state in ENDED_WELL for state in states) == dag.expected:
            dag.state = COMPLETE
        elif FAILED in states:
            dag.state = FAILED
        else:
            return
        if dag.parent is not None:
            self.update_dag_state(self.executions[dag.parent])

    def _update_plainly(self, dag: Execution, states: list[str]) -> None:
        """Without ML Metadata: v2/apiclient/kfpapi/api.go, updateStatuses and evaluateAndUpdateParentStatus."""
        if FAILED in states:
            dag.state = FAILED
        elif RUNNING in states or len(states) < dag.expected:
            return
        else:
            dag.state = next((s for s in (CACHED, NOT_TRIGGERED) if set(states) == {s}), COMPLETE)
        if dag.parent is not None:
            self.update_dag_state(self.executions[dag.parent])

    def folder(self, uri: str) -> Path:
        """Where the object or the objects below `uri` lie."""
        return self.bucket / uri.partition("://")[2]

    def upload(self, local: Path, uri: str) -> bool:
        """v2/objectstore/object_store.go, UploadBlob: files only, so that empty folders vanish."""
        if not local.exists():
            return False
        for file in _files(local):
            target = self.folder(uri) / file.relative_to(local) if local.is_dir() else self.folder(uri)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
        return True

    def download(self, uri: str, local: Path) -> None:
        """v2/objectstore/object_store.go, DownloadBlob: nothing there is no error."""
        source = self.folder(uri)
        for file in _files(source) if source.exists() else ():
            target = local / file.relative_to(source) if source.is_dir() else local
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)


def to_mlmd(value: Any) -> tuple[str, Any]:
    """v2/metadata/converter.go, StructValueToMLMDValue: lists and structs are wrapped, bools become numbers."""
    if isinstance(value, bool):
        return "int", int(value)
    if isinstance(value, (int, float)):
        return "double", float(value)
    if isinstance(value, str):
        return "string", value
    if isinstance(value, list):
        return "struct", {"list": value}
    if isinstance(value, dict):
        return "struct", {"struct": value}
    raise ValueError(f"unknown/unsupported value type {type(value).__name__}")


def from_mlmd(value: tuple[str, Any]) -> Any:
    """v2/metadata/converter.go, toRuntimeArtifact's propertiesToMetadata: what was wrapped stays wrapped."""
    kind, content = value
    return float(content) if kind in ("int", "double") else content


def go_json(value: Any) -> str:
    """As protojson.Marshal writes: whole numbers without a point, fields in the order of their names."""
    return json.dumps(_go_numbers(value), separators=(",", ":"), sort_keys=True)


def fingerprint(key: Json) -> str:
    """v2/cacheutils/cache.go, GenerateFingerPrint."""
    return hashlib.sha256(json.dumps(_go_numbers(key), sort_keys=True).encode()).hexdigest()


def _go_numbers(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return int(value)
    if isinstance(value, dict):
        return {key: _go_numbers(item) for key, item in value.items()}
    return [_go_numbers(item) for item in value] if isinstance(value, list) else value


def _title(kind: Json) -> str:
    """v2/component/launcher_v2.go, getArtifactSchema, and v2/metadata/client.go, SchemaToArtifactType."""
    schema = kind["instanceSchema"] if "instanceSchema" in kind else f"title: {kind['schemaTitle']}"
    title = yaml.safe_load(schema)["title"]
    assert title, "No title specified"
    return str(title)


def _files(path: Path) -> Iterator[Path]:
    return iter([path]) if path.is_file() else (file for file in path.rglob("*") if file.is_file())
