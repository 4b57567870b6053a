"""A PipelineSpec of three tasks and its platform document, which the backend takes; and ways to break them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

Json = dict[str, Any]


def small_spec() -> Json:
    """`first` makes a text and an artifact, `second` takes them in a group, `last` runs at the end."""
    text = {"parameterType": "STRING"}
    artifact = {"artifactType": {"schemaTitle": "tfx.Examples", "schemaVersion": "0.0.1"}}
    container = {"container": {"image": "image:1", "command": ["run"], "args": ["{{$}}"]}}
    tasks = {
        "first": {
            **_task("first", {"number": {"componentInputParameter": "number"}}),
            "retryPolicy": {
                "maxRetryCount": 1,
                "backoffDuration": "1s",
                "backoffFactor": 2,
                "backoffMaxDuration": "2s",
            },
        },
        "second": {
            **_task(
                "second", {"word": {"taskOutputParameter": {"producerTask": "first", "outputParameterKey": "word"}}}
            ),
            "dependentTasks": ["first"],
            "triggerPolicy": {"condition": "inputs.parameter_values['word'] == 'yes'"},
        },
    }
    tasks["second"]["inputs"]["artifacts"] = {
        "examples": {"taskOutputArtifact": {"producerTask": "first", "outputArtifactKey": "examples"}}
    }
    return {
        "pipelineInfo": {"name": "small"},
        "schemaVersion": "2.1.0",
        "root": {
            "inputDefinitions": {"parameters": {"number": {"parameterType": "NUMBER_INTEGER", "defaultValue": 1}}},
            "dag": {
                "tasks": {
                    "group": _task("group", {"number": {"componentInputParameter": "number"}}),
                    "last": {
                        **_task("last", {"status": {"taskFinalStatus": {"producerTask": "group"}}}),
                        "dependentTasks": ["group"],
                        "triggerPolicy": {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"},
                    },
                }
            },
        },
        "components": {
            "comp-group": {
                "dag": {"tasks": tasks},
                "inputDefinitions": {"parameters": {"number": {"parameterType": "NUMBER_INTEGER"}}},
            },
            "comp-first": {
                "executorLabel": "exec-first",
                "inputDefinitions": {"parameters": {"number": {"parameterType": "NUMBER_INTEGER"}}},
                "outputDefinitions": {"parameters": {"word": text}, "artifacts": {"examples": artifact}},
            },
            "comp-second": {
                "executorLabel": "exec-second",
                "inputDefinitions": {"parameters": {"word": text}, "artifacts": {"examples": copy.deepcopy(artifact)}},
            },
            "comp-last": {
                "executorLabel": "exec-last",
                "inputDefinitions": {
                    "parameters": {"status": {"parameterType": "TASK_FINAL_STATUS", "isOptional": True}}
                },
            },
        },
        "deploymentSpec": {
            "executors": {f"exec-{task}": copy.deepcopy(container) for task in ("first", "second", "last")}
        },
    }


def small_platform() -> Json:
    """A claim, scratch and a secret for `first`."""
    executor = {
        "pvcMount": [{"mountPath": "/data", "pvcNameParameter": {"runtimeValue": {"constant": "data"}}}],
        "emptyDirMounts": [{"volumeName": "scratch", "mountPath": "/tmp"}],
        "secretAsEnv": [
            {
                "secretNameParameter": {"runtimeValue": {"constant": "s3"}},
                "keyToEnv": [{"envVar": "KEY", "secretKey": "key"}],
            }
        ],
    }
    return {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {"exec-first": executor}}}}}


class Broken(NamedTuple):
    """A change that breaks the spec.

    `refused` says when it would come to light: as a run is created, in a task's driver, or later still: in the
    launcher, in the step, or never.
    """

    change: Callable[[Json], object]
    where: str
    words: str
    refused: str


CREATION, DRIVER, LATER = "creation", "driver", "later"


def broken(case: str) -> Json:
    """The small spec, broken in the way of that name."""
    spec = small_spec()
    BROKEN[case].change(spec)
    return spec


def _task(name: str, parameters: Json) -> Json:
    return {
        "taskInfo": {"name": name},
        "componentRef": {"name": f"comp-{name}"},
        "inputs": {"parameters": parameters},
    }


def _tasks(spec: Json) -> Json:
    return spec["components"]["comp-group"]["dag"]["tasks"]


def _rename(tasks: Json, old: str, new: str) -> None:
    tasks[new] = tasks.pop(old)


def _rename_first(spec: Json, new: str) -> None:
    tasks = _tasks(spec)
    _rename(tasks, "first", new)
    second = tasks["second"]
    second["dependentTasks"] = [new]
    second["inputs"]["parameters"]["word"]["taskOutputParameter"]["producerTask"] = new
    second["inputs"]["artifacts"]["examples"]["taskOutputArtifact"]["producerTask"] = new


def _executors(spec: Json) -> Json:
    return spec["deploymentSpec"]["executors"]


def _group_output(spec: Json, subtask: str, key: str) -> None:
    group = spec["components"]["comp-group"]
    selector = {"valueFromParameter": {"producerSubtask": subtask, "outputParameterKey": key}}
    group["dag"]["outputs"] = {"parameters": {"word": selector}}
    group["outputDefinitions"] = {"parameters": {"word": {"parameterType": "STRING"}}}


def _importer(spec: Json) -> None:
    schema = {"artifactUri": {"constant": "s3://bucket/x"}, "typeSchema": {"schemaTitle": "tfx.Examples"}}
    _executors(spec)["exec-second"] = {"importer": schema}


def _leave_number_to_its_default(spec: Json) -> None:
    _tasks(spec)["first"].pop("inputs")
    spec["components"]["comp-first"]["inputDefinitions"]["parameters"]["number"]["defaultValue"] = 1


BROKEN: dict[str, Broken] = {
    "schema version": Broken(
        lambda spec: spec.update(schemaVersion="2.0.0"), "schemaVersion", "must be 2.1.0, but is 2.0.0", CREATION
    ),
    "no name": Broken(lambda spec: spec["pipelineInfo"].update(name=""), "pipelineInfo", "the name ''", CREATION),
    "root is not a DAG": Broken(
        lambda spec: spec.update(root={"executorLabel": "exec-first"}), "root", "is not a DAG", CREATION
    ),
    "no default": Broken(
        lambda spec: spec["root"]["inputDefinitions"]["parameters"]["number"].pop("defaultValue"),
        "root",
        "number has no default",
        CREATION,
    ),
    "default of another type": Broken(
        lambda spec: spec["root"]["inputDefinitions"]["parameters"]["number"].update(defaultValue="one"),
        "root",
        "'one' of the parameter number is not a NUMBER_INTEGER",
        DRIVER,
    ),
    "parameter that no run can give": Broken(
        lambda spec: spec["root"]["inputDefinitions"]["parameters"].update(
            status={"parameterType": "TASK_FINAL_STATUS"}
        ),
        "root",
        "status is of type TASK_FINAL_STATUS",
        CREATION,
    ),
    "only last tasks": Broken(
        lambda spec: spec["root"]["dag"]["tasks"]["group"].update(
            triggerPolicy={"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}
        ),
        "root",
        "has no task except exit tasks",
        CREATION,
    ),
    "name with an underscore": Broken(
        lambda spec: _rename_first(spec, "the_first"), "the_first", "is not a task name", CREATION
    ),
    "name with a full stop": Broken(
        lambda spec: _rename_first(spec, "the.first"), "the.first", "is not a task name", CREATION
    ),
    "name of a driver": Broken(
        lambda spec: _rename_first(spec, "second-driver"),
        "second-driver",
        "has the name of the driver of second",
        CREATION,
    ),
    "no such component": Broken(
        lambda spec: spec["components"].pop("comp-first"), "first", "'comp-first', which does not exist", CREATION
    ),
    "component without implementation": Broken(
        lambda spec: spec["components"]["comp-second"].pop("executorLabel"),
        "second",
        "neither a DAG nor has an executor",
        CREATION,
    ),
    "no taskInfo": Broken(lambda spec: _tasks(spec)["first"].pop("taskInfo"), "first", "has no taskInfo.name", DRIVER),
    "no such executor": Broken(
        lambda spec: _executors(spec).pop("exec-second"), "second", "'exec-second', which does not exist", CREATION
    ),
    "resolver": Broken(
        lambda spec: _executors(spec).update({"exec-second": {"resolver": {}}}),
        "second",
        "an executor of the kind resolver",
        CREATION,
    ),
    "custom job": Broken(
        lambda spec: _executors(spec).update({"exec-second": {"customJob": {}}}),
        "second",
        "an executor of the kind customJob",
        CREATION,
    ),
    "importer with a condition": Broken(_importer, "second", "is an importer with a condition", CREATION),
    "no image": Broken(
        lambda spec: _executors(spec)["exec-first"]["container"].pop("image"), "first", "has no image", LATER
    ),
    "no command": Broken(
        lambda spec: _executors(spec)["exec-first"]["container"].pop("command"), "first", "has no command", LATER
    ),
    "long argument": Broken(
        lambda spec: _executors(spec)["exec-first"]["container"]["args"].append("x" * 128 * 1024),
        "first",
        "an argument of 131073 bytes",
        LATER,
    ),
    "long inputs": Broken(
        lambda spec: _tasks(spec)["second"]["inputs"]["parameters"].update(
            word={"runtimeValue": {"constant": "x" * 128 * 1024}}
        ),
        "second",
        "has inputs of 131",
        LATER,
    ),
    "no such dependency": Broken(
        lambda spec: _tasks(spec)["second"].update(dependentTasks=["third"]),
        "second",
        "depends on the task 'third', which does not exist",
        CREATION,
    ),
    "no such producer of a parameter": Broken(
        lambda spec: _tasks(spec)["second"]["inputs"]["parameters"]["word"]["taskOutputParameter"].update(
            producerTask="first_task"
        ),
        "second",
        "takes word from the task 'first_task', which does not exist in comp-group",
        CREATION,
    ),
    "no such producer of an artifact": Broken(
        lambda spec: _tasks(spec)["second"]["inputs"]["artifacts"]["examples"]["taskOutputArtifact"].update(
            producerTask="group"
        ),
        "second",
        "takes examples from the task 'group', which does not exist in comp-group",
        CREATION,
    ),
    "no such output parameter": Broken(
        lambda spec: spec["components"]["comp-first"]["outputDefinitions"].pop("parameters"),
        "second",
        "the output 'word' of first, which has no such output",
        LATER,
    ),
    "no such output artifact": Broken(
        lambda spec: spec["components"]["comp-first"]["outputDefinitions"].pop("artifacts"),
        "second",
        "the output 'examples' of first, which has no such output",
        DRIVER,
    ),
    "parameter that the group lacks": Broken(
        lambda spec: (
            spec["components"]["comp-group"].pop("inputDefinitions"),
            spec["root"]["dag"]["tasks"]["group"].pop("inputs"),
        ),
        "first",
        "takes number from the parameter 'number', which comp-group does not have",
        DRIVER,
    ),
    "end of no task": Broken(
        lambda spec: spec["root"]["dag"]["tasks"]["last"].pop("dependentTasks"),
        "last",
        "takes status from the final status of a task, but depends on none",
        DRIVER,
    ),
    "parameter not given": Broken(
        lambda spec: _tasks(spec)["first"].pop("inputs"), "first", "needs number of parameters", DRIVER
    ),
    "default of what is not optional": Broken(
        _leave_number_to_its_default, "first", "needs number of parameters, which it does not get", DRIVER
    ),
    "artifact not given": Broken(
        lambda spec: _tasks(spec)["second"]["inputs"].pop("artifacts"), "second", "needs examples of artifacts", LATER
    ),
    "constant of another type": Broken(
        lambda spec: _tasks(spec)["first"]["inputs"].update(
            parameters={"number": {"runtimeValue": {"constant": "one"}}}
        ),
        "first",
        "gets 'one' for number, which is not a NUMBER_INTEGER",
        DRIVER,
    ),
    "parameter of another type": Broken(
        lambda spec: spec["components"]["comp-group"]["inputDefinitions"]["parameters"]["number"].update(
            parameterType="STRING"
        ),
        "first",
        "gets a STRING for number, which is not a NUMBER_INTEGER",
        DRIVER,
    ),
    "artifact without a type": Broken(
        lambda spec: spec["components"]["comp-first"]["outputDefinitions"]["artifacts"]["examples"].update(
            artifactType={}
        ),
        "first",
        "has the artifact examples without a schemaTitle",
        LATER,
    ),
    "condition on what is not given": Broken(
        lambda spec: _tasks(spec)["second"]["triggerPolicy"].update(
            condition="inputs.parameter_values['answer'] == 'yes'"
        ),
        "second",
        "has a condition on answer",
        DRIVER,
    ),
    "loop over artifacts": Broken(
        lambda spec: _tasks(spec)["second"].update(artifactIterator={"itemInput": "examples"}),
        "second",
        "iterates over artifacts",
        CREATION,
    ),
    "cycle": Broken(
        lambda spec: _tasks(spec)["first"].update(dependentTasks=["second"]),
        "first",
        "depends on itself: first → second → first",
        CREATION,
    ),
    "group in itself": Broken(
        lambda spec: _tasks(spec).update(group=_task("group", {"number": {"componentInputParameter": "number"}})),
        "comp-group",
        "contains itself",
        LATER,
    ),
    "braces": Broken(
        lambda spec: _tasks(spec)["second"]["inputs"]["parameters"].update(
            word={"runtimeValue": {"constant": "{{inputs.parameters.word}}"}}
        ),
        "second",
        "has double braces",
        CREATION,
    ),
    "braces in an argument": Broken(
        lambda spec: _executors(spec)["exec-first"]["container"]["args"].append("{{workflow.name}}"),
        "first",
        "has an argument with double braces",
        LATER,
    ),
    "output of no task": Broken(
        lambda spec: _group_output(spec, "third", "word"),
        "comp-group",
        "gives word from the task 'third', which does not exist",
        LATER,
    ),
    "output that the task lacks": Broken(
        lambda spec: _group_output(spec, "first", "phrase"),
        "comp-group",
        "gives word from the output 'phrase' of first, which has no such output",
        LATER,
    ),
    "output that nothing gives": Broken(
        lambda spec: spec["components"]["comp-group"].update(
            outputDefinitions={"parameters": {"word": {"parameterType": "STRING"}}}
        ),
        "comp-group",
        "declares the output word, which no task gives",
        LATER,
    ),
}
