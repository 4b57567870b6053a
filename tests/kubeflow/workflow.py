"""What Argo Workflows does for a run of Kubeflow Pipelines 2.17: which task is driven when, and how the run ends.

Each rule names the function of kubeflow/pipelines that makes the workflow so; `v2/` stands for `backend/src/v2/`.
Tasks run one after the other.  Loops raise NotImplementedError instead of being passed over.
"""

from __future__ import annotations

import abc
import dataclasses
import datetime
import uuid
from collections.abc import Mapping
from typing import Any

import yaml

from tests.kubeflow.store import Execution, Json

EXIT_STRATEGY = "ALL_UPSTREAM_TASKS_COMPLETED"


@dataclasses.dataclass
class TaskRun:
    """What became of a task; `log` is that of its last attempt."""

    name: str
    state: str
    log: str = ""
    status: int = 0
    attempts: int = 0
    seconds: float = 0.0
    execution: Execution | None = None

    @property
    def last_line(self) -> str:
        """What a person sees first in the pod's log."""
        return self.log.rstrip().rpartition("\n")[2]


@dataclasses.dataclass
class PipelineRun:
    """A run that has ended."""

    id: str
    root: str
    succeeded: bool = True
    tasks: dict[str, TaskRun] = dataclasses.field(default_factory=dict)

    def in_state(self, state: str) -> set[str]:
        """The names of the tasks in that state."""
        return {task.name for task in self.tasks.values() if task.state == state}


class Workflow(abc.ABC):
    """A run of a compiled pipeline; what drivers and launchers do in it is for those who inherit."""

    def __init__(self, compiled: str, parameters: Mapping[str, Any], pipeline_root: str) -> None:
        # backend/src/apiserver/template/template.go and v2_template.go, NewV2SpecTemplate: two documents.
        documents = [document for document in yaml.safe_load_all(compiled) if document]
        self.spec: Json = next(document for document in documents if "pipelineInfo" in document)
        platforms: Json = next((document["platforms"] for document in documents if "platforms" in document), {})
        self.platform: Json = platforms.get("kubernetes", {}).get("deploymentSpec", {}).get("executors", {})
        if self.spec["schemaVersion"] != "2.1.0":
            raise ValueError(f"schema version {self.spec['schemaVersion']} is not supported")
        self.pipeline: str = self.spec["pipelineInfo"]["name"]
        self.parameters = parameters
        # v2/compiler/argocompiler/argo.go, runCreationTimeUTC
        self.created = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        identity = str(uuid.uuid4())
        # v2/metadata/client.go, GetPipeline: GenerateOutputURI(pipelineRoot, {pipelineName, runID}).
        self.result = PipelineRun(identity, f"{pipeline_root.rstrip('/')}/{self.pipeline}/{identity}")

    def run(self) -> PipelineRun:
        """Runs the pipeline to its end."""
        self.result.succeeded = self._run_dag(self._drive_root(self._root_parameters()))
        return self.result

    @abc.abstractmethod
    def _drive_root(self, parameters: Json) -> Execution:
        """The driver of the whole."""

    @abc.abstractmethod
    def _drive_group(self, name: str, task: Json, component: Json, parent: Execution) -> Execution | None:
        """The driver of a nested DAG; `None` if its condition does not hold."""

    @abc.abstractmethod
    def _run_container(self, name: str, task: Json, component: Json, parent: Execution) -> bool | None:
        """A driver, and if it says so pods with a launcher; whether it succeeded, `None` if its condition failed."""

    def _root_parameters(self) -> Json:
        """v2/compiler/argocompiler/argo.go, Compile: defaults fill in what the run does not give."""
        declared: Json = self.spec["root"].get("inputDefinitions", {}).get("parameters", {})
        unknown = set(self.parameters) - set(declared)
        if unknown:
            raise ValueError(f"parameters that the pipeline does not have: {unknown}")
        defaults = {name: spec["defaultValue"] for name, spec in declared.items() if "defaultValue" in spec}
        missing = set(declared) - set(defaults) - set(self.parameters)
        if missing:
            raise ValueError(f"parameters {missing} have no value")
        return {**defaults, **self.parameters}

    def _run_dag(self, dag: Execution) -> bool:
        """v2/compiler/argocompiler/dag.go, DAG: tasks once all they depend on have succeeded; exit tasks as hooks.

        A task that was not triggered is "Skipped", which is not "Succeeded": what depends on it is left out (depends).
        """
        assert dag.dag is not None
        tasks: Json = dag.dag["tasks"]
        exits = {name for name, task in tasks.items() if _is_exit(task)}
        states: dict[str, bool | None] = {}
        failed = False
        for name in _in_order({name: task for name, task in tasks.items() if name not in exits}):
            waits_for = _dependencies(tasks[name])
            if failed or not all(states.get(producer) for producer in waits_for):
                self.result.tasks[name] = TaskRun(name, "OMITTED")
                states[name] = None
                continue
            states[name] = self._run_task(name, tasks[name], dag)
            failed = failed or states[name] is False
            for hook in sorted(exits):
                if name in tasks[hook]["dependentTasks"]:
                    self._run_task(hook, tasks[hook], dag)
        return not failed

    def _run_task(self, name: str, task: Json, dag: Execution) -> bool | None:
        """v2/compiler/argocompiler/dag.go, task: a driver, and if it says so a nested DAG or a launcher.

        Returns:
            Whether it succeeded; `None` if its condition did not hold.
        """
        if "parameterIterator" in task or "artifactIterator" in task:
            raise NotImplementedError("loops")
        component: Json = self.spec["components"][task["componentRef"]["name"]]
        if "dag" in component:
            group = self._drive_group(name, task, component, dag)
            return None if group is None else self._run_dag(group)
        return self._run_container(name, task, component, dag)


def _in_order(tasks: Json) -> list[str]:
    """The tasks so that each comes after what it depends on; else by name."""
    ordered: list[str] = []
    while len(ordered) < len(tasks):
        ready = [n for n in sorted(tasks) if n not in ordered and _dependencies(tasks[n]) <= set(ordered)]
        if not ready:
            raise ValueError(f"unknown producer task, or a circle, among {sorted(set(tasks) - set(ordered))}")
        ordered.append(ready[0])
    return ordered


def _dependencies(task: Json) -> set[str]:
    """v2/compiler/argocompiler/dag.go, addImplicitDependencies."""
    inputs: Json = task.get("inputs", {})
    specs = [*inputs.get("parameters", {}).values(), *inputs.get("artifacts", {}).values()]
    sources = [spec.get("taskOutputParameter") or spec.get("taskOutputArtifact") for spec in specs]
    return {*task.get("dependentTasks", ()), *(source["producerTask"] for source in sources if source)}


def _is_exit(task: Json) -> bool:
    return task.get("triggerPolicy", {}).get("strategy") == EXIT_STRATEGY
