"""Validates a PipelineSpec against the rules of the KFP backend.

Each rule names the function of kubeflow/pipelines 2.17 that would refuse the spec (paths are below `backend/src`);
Argo's rules are in `ValidateWorkflow` of argo-workflows, which the API server calls for each run.  A spec that breaks a
rule is refused here, before anything is uploaded, with the name of the task.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from common.errors import UserError
from pipeline.kubeflow.compile.spec import SCHEMA_VERSION
from pipeline.kubeflow.json_types import Json

ROOT = "root"
MAX_ARGUMENT = 128 * 1024
"""Bytes of one argument of a process on Linux (MAX_ARG_STRLEN)."""

MAX_TASK_NAME = 128
_PIPELINE_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_TASK_NAME = re.compile(r"[a-zA-Z0-9][-a-zA-Z0-9]*")
_CONDITION_PARAMETER = re.compile(r"inputs\.parameter_values\[(['\"])(.*?)\1\]")
_DRIVERS_OWN = re.compile(r"\{\{\$(\.[a-z_]+)?\}\}")
"""Placeholders that the driver expands, and Argo does not."""

_DRIVER = "-driver"
_LAST = "ALL_UPSTREAM_TASKS_COMPLETED"
_TYPES: dict[str, tuple[type, ...]] = {
    "STRING": (str,),
    "NUMBER_INTEGER": (int, float),
    "NUMBER_DOUBLE": (int, float),
    "BOOLEAN": (bool,),
    "LIST": (list,),
    "STRUCT": (dict,),
}
_ONLY_FOR_TASKS = {"TASK_FINAL_STATUS": (dict,), "TASK_CONFIG": (dict,)}


class Problem(NamedTuple):
    """A broken rule, and where."""

    where: str
    reason: str

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}"


class Group(NamedTuple):
    """Component that is a DAG, with what its tasks may refer to."""

    name: str
    component: Json
    spec: Json

    @property
    def tasks(self) -> Json:
        return self.component["dag"].get("tasks", {})

    @property
    def parameters(self) -> Json:
        return self.component.get("inputDefinitions", {}).get("parameters", {})

    def component_of(self, task: Json) -> Json:
        """Returns the component that a task runs; empty if it does not exist."""
        return self.spec.get("components", {}).get(task.get("componentRef", {}).get("name"), {})


def check_spec(spec: Json) -> None:
    """Validates the PipelineSpec.

    Raises:
        UserError: a rule is broken; the text names each task and rule.
    """
    refuse(list(problems(spec)))


def refuse(found: list[Problem]) -> None:
    """Raises one error for all problems, if there are any."""
    if found:
        raise UserError("Kubeflow Pipelines would not run this pipeline: " + "; ".join(map(str, found)))


def problems(spec: Json) -> Iterator[Problem]:
    """Yields everything that the backend would refuse in a PipelineSpec."""
    yield from _header(spec)
    root = spec.get("root", {})
    if "dag" not in root:
        yield Problem(ROOT, "is not a DAG")
        return
    yield from _run_parameters(root)
    for group in _groups(spec):
        yield from _group(group)


def _header(spec: Json) -> Iterator[Problem]:
    """apiserver/template/v2_template.go, NewV2SpecTemplate."""
    if spec.get("schemaVersion") != SCHEMA_VERSION:
        yield Problem("schemaVersion", f"must be {SCHEMA_VERSION}, but is {spec.get('schemaVersion')}")
    name = spec.get("pipelineInfo", {}).get("name", "")
    if not _PIPELINE_NAME.fullmatch(name):
        yield Problem("pipelineInfo", f"the name {name!r} must be of small letters, digits, hyphens and full stops")


def _run_parameters(root: Json) -> Iterator[Problem]:
    """apiserver/template/v2_template.go, validatePipelineJobInputs: a run or a schedule may set none of them."""
    for name, parameter in root.get("inputDefinitions", {}).get("parameters", {}).items():
        kind = parameter.get("parameterType")
        if kind not in _TYPES:
            yield Problem(ROOT, f"the parameter {name} is of type {kind}, which a run cannot set")
        elif "defaultValue" not in parameter:
            if not parameter.get("isOptional"):
                yield Problem(ROOT, f"the parameter {name} has no default, so that a run without it is refused")
        elif not _fits(parameter["defaultValue"], kind):
            yield Problem(ROOT, f"the default {parameter['defaultValue']!r} of the parameter {name} is not a {kind}")


def _groups(spec: Json) -> Iterator[Group]:
    """Yields the root and all DAGs below it, each once: v2/compiler/visitor.go, dfs."""
    seen: set[str] = set()
    waiting = [(ROOT, spec["root"])]
    while waiting:
        name, component = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        group = Group(name, component, spec)
        yield group
        for task in group.tasks.values():
            below = group.component_of(task)
            if "dag" in below:
                waiting.append((task["componentRef"]["name"], below))


def _group(group: Group) -> Iterator[Problem]:
    if not any(not _is_last(task) for task in group.tasks.values()):
        # v2/compiler/argocompiler/dag.go, DAG.
        yield Problem(group.name, "has no task except exit tasks")
    for name, task in group.tasks.items():
        for rule in _TASK_RULES:
            yield from (Problem(name, reason) for reason in rule(group, name, task))
    cycle = _cycle(group.tasks)
    if cycle:
        yield Problem(cycle[0], f"depends on itself: {' → '.join(cycle)}")  # ValidateWorkflow of Argo.
    if _contains_itself(group):
        yield Problem(group.name, "contains itself")  # v2/compiler/visitor.go, dfs, would not notice.
    yield from _group_outputs(group)


def _names(group: Group, name: str, task: Json) -> Iterator[str]:
    """Checks names of Argo tasks; each task's driver is a second one (v2/compiler/argocompiler/dag.go, task)."""
    del task
    if not _TASK_NAME.fullmatch(name) or len(name) > MAX_TASK_NAME:
        yield f"is not a task name: use letters, digits and hyphens, at most {MAX_TASK_NAME}"
    if name.endswith(_DRIVER) and name.removesuffix(_DRIVER) in group.tasks:
        yield f"has the name of the driver of {name.removesuffix(_DRIVER)}"


def _component(group: Group, name: str, task: Json) -> Iterator[str]:
    """v2/compiler/visitor.go, dfs; v2/compiler/argocompiler/dag.go, task."""
    reference = task.get("componentRef", {}).get("name")
    component = group.component_of(task)
    if not component:
        yield f"runs the component {reference!r}, which does not exist"
    elif "dag" not in component and "executorLabel" not in component:
        yield f"runs the component {reference!r}, which is neither a DAG nor has an executor"
    if not task.get("taskInfo", {}).get("name"):
        yield "has no taskInfo.name"  # v2/driver/driver.go, validateNonRoot.


def _executor(group: Group, name: str, task: Json) -> Iterator[str]:
    """v2/compiler/visitor.go, dfs; v2/compiler/argocompiler/dag.go, task."""
    label = group.component_of(task).get("executorLabel")
    if label is None:
        return
    executor = group.spec.get("deploymentSpec", {}).get("executors", {}).get(label)
    if executor is None:
        yield f"has the executor {label!r}, which does not exist"
    elif "importer" in executor:
        if task.get("triggerPolicy", {}).get("condition"):
            yield "is an importer with a condition, which is not supported"
    elif "container" not in executor:
        yield f"has an executor of the kind {', '.join(executor) or 'none'}; only container and importer are supported"
    else:
        yield from _container(executor["container"], task)


def _container(container: Json, task: Json) -> Iterator[str]:
    """v2/driver/driver.go, initPodSpecPatch: the inputs are also one argument of the launcher."""
    if not container.get("image"):
        yield "has no image"
    if not container.get("command"):
        yield "has no command; the launcher cannot know the image's own"  # v2/component/launcher_v2.go, execute.
    for argument in (*container.get("command", []), *container.get("args", [])):
        if _size(argument) >= MAX_ARGUMENT:
            yield f"has an argument of {_size(argument)} bytes; the operating system allows {MAX_ARGUMENT}"
        if not _is_free_of_braces(argument):
            yield "has an argument with double braces, which Argo would expand"
    inputs = _size(json.dumps(task.get("inputs", {}), ensure_ascii=False))
    if inputs >= MAX_ARGUMENT:
        yield f"has inputs of {inputs} bytes, which are one argument; the operating system allows {MAX_ARGUMENT}"


def _dependencies(group: Group, name: str, task: Json) -> Iterator[str]:
    """ValidateWorkflow of Argo."""
    for other in task.get("dependentTasks", []):
        if other not in group.tasks:
            yield f"depends on the task {other!r}, which does not exist"


def _producers(group: Group, name: str, task: Json) -> Iterator[str]:
    """v2/compiler/argocompiler/dag.go, addImplicitDependencies; v2/driver/resolve.go, resolveUpstreamParameters."""
    for kind, key_name in (("parameters", "outputParameterKey"), ("artifacts", "outputArtifactKey")):
        for name_of_input, value in task.get("inputs", {}).get(kind, {}).items():
            output = value.get("taskOutputParameter") or value.get("taskOutputArtifact")
            if output is None:
                continue
            producer, key = output.get("producerTask"), output.get(key_name)
            if producer not in group.tasks:
                yield f"takes {name_of_input} from the task {producer!r}, which does not exist in {group.name}"
                continue
            outputs = group.component_of(group.tasks[producer]).get("outputDefinitions", {}).get(kind, {})
            if key not in outputs:
                yield f"takes {name_of_input} from the output {key!r} of {producer}, which has no such output"


def _references(group: Group, name: str, task: Json) -> Iterator[str]:
    """v2/driver/resolve.go, resolveInputParameter and resolveInputArtifact."""
    inputs = task.get("inputs", {})
    artifacts = group.component.get("inputDefinitions", {}).get("artifacts", {})
    for key, value in inputs.get("parameters", {}).items():
        outer = value.get("componentInputParameter")
        if outer is not None and outer not in group.parameters:
            yield f"takes {key} from the parameter {outer!r}, which {group.name} does not have"
        if "taskFinalStatus" in value and not task.get("dependentTasks"):
            yield f"takes {key} from the final status of a task, but depends on none"
    for key, value in inputs.get("artifacts", {}).items():
        outer = value.get("componentInputArtifact")
        if outer is not None and outer not in artifacts:
            yield f"takes {key} from the artifact {outer!r}, which {group.name} does not have"


def _inputs(group: Group, name: str, task: Json) -> Iterator[str]:
    """v2/driver/resolve.go, resolveInputs: the launcher applies defaults only to optional inputs."""
    component = group.component_of(task)
    for kind in ("parameters", "artifacts"):
        declared = component.get("inputDefinitions", {}).get(kind, {})
        given = task.get("inputs", {}).get(kind, {})
        for key, definition in declared.items():
            if key not in given and not definition.get("isOptional"):
                yield f"needs {key} of {kind}, which it does not get"


def _types(group: Group, name: str, task: Json) -> Iterator[str]:
    """v2/driver/resolve.go, resolveInputs: numbers are one kind, and everything can be converted to a string."""
    declared = group.component_of(task).get("inputDefinitions", {}).get("parameters", {})
    for key, value in task.get("inputs", {}).get("parameters", {}).items():
        wanted = declared.get(key, {}).get("parameterType")
        if wanted is None or wanted == "STRING":
            continue
        if wanted not in {**_TYPES, **_ONLY_FOR_TASKS}:
            yield f"has the parameter {key} of the unknown type {wanted}"
        elif "runtimeValue" in value and not _fits(value["runtimeValue"].get("constant"), wanted):
            yield f"gets {value['runtimeValue'].get('constant')!r} for {key}, which is not a {wanted}"
        elif "runtimeValue" not in value:
            given = _type_of(group, value)
            if given is not None and _python_types(given) != _python_types(wanted):
                yield f"gets a {given} for {key}, which is not a {wanted}"


def _type_of(group: Group, value: Json) -> str | None:
    """Returns the type of a parameter from outside or from a task; `None` if another rule reports it."""
    if "componentInputParameter" in value:
        return group.parameters.get(value["componentInputParameter"], {}).get("parameterType")
    if "taskOutputParameter" in value:
        output = value["taskOutputParameter"]
        component = group.component_of(group.tasks.get(output.get("producerTask"), {}))
        outputs = component.get("outputDefinitions", {}).get("parameters", {})
        return outputs.get(output.get("outputParameterKey"), {}).get("parameterType")
    return "TASK_FINAL_STATUS" if "taskFinalStatus" in value else None


def _artifact_types(group: Group, name: str, task: Json) -> Iterator[str]:
    """v2/component/launcher_v2.go, getArtifactSchema: a title, which the step reads, or a schema."""
    component = group.component_of(task)
    for side in ("inputDefinitions", "outputDefinitions"):
        for key, definition in component.get(side, {}).get("artifacts", {}).items():
            if not definition.get("artifactType", {}).get("schemaTitle"):
                yield f"has the artifact {key} without a schemaTitle"


def _constants(group: Group, name: str, task: Json) -> Iterator[str]:
    """Argo expands double braces anywhere, or refuses the workflow if it cannot."""
    for key, value in task.get("inputs", {}).get("parameters", {}).items():
        constant = value.get("runtimeValue", {}).get("constant")
        if isinstance(constant, str) and not _is_free_of_braces(constant):
            yield f"has double braces in the value of {key}, which Argo would expand"


def _conditions(group: Group, name: str, task: Json) -> Iterator[str]:
    """v2/driver/container.go, Container, and v2/driver/dag.go, DAG: a condition sees the task's own inputs."""
    given = task.get("inputs", {}).get("parameters", {})
    for match in _CONDITION_PARAMETER.finditer(task.get("triggerPolicy", {}).get("condition", "")):
        if match[2] not in given:
            yield f"has a condition on {match[2]}, which it does not get"


def _loops(group: Group, name: str, task: Json) -> Iterator[str]:
    """v2/compiler/argocompiler/dag.go, DAG."""
    if "artifactIterator" in task:
        yield "iterates over artifacts, which is not implemented"


_TASK_RULES: tuple[Callable[[Group, str, Json], Iterator[str]], ...] = (
    _names,
    _component,
    _executor,
    _dependencies,
    _producers,
    _references,
    _inputs,
    _types,
    _artifact_types,
    _constants,
    _conditions,
    _loops,
)


def _group_outputs(group: Group) -> Iterator[Problem]:
    """v2/driver/util.go, GetProducerTask: the outputs of a DAG must come from its own tasks."""
    outputs = group.component["dag"].get("outputs", {})
    selectors = [
        (key, kind, selector)
        for kind, field in (("artifacts", "artifactSelectors"), ("parameters", "valueFromParameter"))
        for key, output in outputs.get(kind, {}).items()
        for selector in (output.get(field, []) if kind == "artifacts" else [output.get(field, {})])
    ]
    for key, kind, selector in selectors:
        producer = selector.get("producerSubtask")
        own = selector.get("outputArtifactKey") or selector.get("outputParameterKey")
        if producer not in group.tasks:
            yield Problem(group.name, f"gives {key} from the task {producer!r}, which does not exist")
            continue
        given = group.component_of(group.tasks[producer]).get("outputDefinitions", {}).get(kind, {})
        if own not in given:
            yield Problem(group.name, f"gives {key} from the output {own!r} of {producer}, which has no such output")
    for kind in ("artifacts", "parameters"):
        for key in group.component.get("outputDefinitions", {}).get(kind, {}):
            if key not in outputs.get(kind, {}):
                yield Problem(group.name, f"declares the output {key}, which no task gives")


def _cycle(tasks: Json) -> list[str]:
    """Returns a cycle of tasks, ending with the first one again; empty if there is none."""
    done: set[str] = set()

    def follow(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done or name not in tasks:
            return []
        for other in sorted(_upstream(tasks[name])):
            found = follow(other, [*path, name])
            if found:
                return found
        done.add(name)
        return []

    return next((found for name in tasks if (found := follow(name, []))), [])


def _upstream(task: Json) -> set[str]:
    inputs = task.get("inputs", {})
    values = [*inputs.get("parameters", {}).values(), *inputs.get("artifacts", {}).values()]
    outputs = [value.get("taskOutputParameter") or value.get("taskOutputArtifact") or {} for value in values]
    return {
        *task.get("dependentTasks", []),
        *(output["producerTask"] for output in outputs if "producerTask" in output),
    }


def _contains_itself(group: Group) -> bool:
    below: set[str] = set()
    waiting = [group]
    while waiting:
        for task in waiting.pop().tasks.values():
            name, component = task.get("componentRef", {}).get("name"), group.component_of(task)
            if name not in below and "dag" in component:
                below.add(name)
                waiting.append(Group(name, component, group.spec))
    return group.name in below


def _is_free_of_braces(text: str) -> bool:
    return "{{" not in text or _DRIVERS_OWN.fullmatch(text) is not None


def _is_last(task: Json) -> bool:
    return task.get("triggerPolicy", {}).get("strategy") == _LAST


def _python_types(kind: str) -> tuple[type, ...]:
    return {**_TYPES, **_ONLY_FOR_TASKS}.get(kind, ())


def _fits(value: Any, kind: str) -> bool:
    # In Python, but not in a specification, true and false are integers.
    return isinstance(value, _python_types(kind)) and (isinstance(value, bool) == (kind == "BOOLEAN"))


def _size(text: str) -> int:
    return len(text.encode()) + 1
