"""What a step is given and what is kept of its outputs: by the emulator's rules, and by driver and launcher."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.kubeflow.installation import BY_HAND, INSTALLED, backend
from tests.kubeflow.pods import isolation
from tests.kubeflow.store import go_json

pytestmark = pytest.mark.skipif(isolation() is None, reason="pods need mount namespaces, or a / that can be written")

Json = dict[str, Any]
ROOT = "minio://b/root"
KINDS = {
    "text": "STRING",
    "whole": "NUMBER_INTEGER",
    "real": "NUMBER_DOUBLE",
    "flag": "BOOLEAN",
    "several": "LIST",
    "fields": "STRUCT",
}
VALUES: Json = {
    "text": "ä 'quoted' $(X) {{x}}\nline",
    "whole": 3,
    "real": 0.1,
    "flag": True,
    "several": ["a", 1, {"b": None}],
    "fields": {"a": [1.5], "b": {"c": False}},
}
ARTIFACTS = {"made": "tfx.Model", "page": "system.HTML", "nothing": "system.Metrics"}
METADATA: Json = {"text": "t", "whole": 7, "real": 2.5, "flag": False, "several": [1, "b"], "fields": {"a": {"b": 1}}}

MAKE = """
import json, os, sys
outputs = json.loads(sys.argv[1])["outputs"]
told = json.loads(sys.argv[2])
print(json.dumps(sys.argv[1:]))
for name, value in told.get("files", {}).items():
    open(outputs["parameters"][name]["outputFile"], "w").write(value)
place = lambda name: outputs["artifacts"][name]["artifacts"][0]["uri"].replace("minio://", "/minio/")
if "made" in outputs["artifacts"]:
    os.makedirs(place("made") + "/a/b")
    open(place("made") + "/a/b/file", "w").write("x")
    open(place("page"), "w").write("<html>")
output = told.get("output", {})
for artifact in output.get("artifacts", {}).values():
    for each in artifact["artifacts"]:
        if "uri" in each:
            each["uri"] = each["uri"].replace("ROOT", outputs["artifacts"]["made"]["artifacts"][0]["uri"])
json.dump(output, open(outputs["outputFile"], "w"))
"""
TAKE = """
import json, os, sys
print(json.dumps(sys.argv[1:]))
for artifacts in json.loads(sys.argv[1])["inputs"]["artifacts"].values():
    for folder, _, files in os.walk(artifacts["artifacts"][0]["uri"].replace("minio://", "/minio/")):
        print(folder, files)
"""


def compiled(told: Json, constant: Json = VALUES) -> str:
    """A task that makes parameters and artifacts of all kinds, and one that takes them, twice where texts allow it."""
    made = {name: {"artifactType": {"schemaTitle": title}} for name, title in ARTIFACTS.items()}
    made["made"]["metadata"] = {"compiled": "yes"}
    kinds = {name: {"parameterType": kind} for name, kind in KINDS.items()}
    given = {name: {"runtimeValue": {"constant": value}} for name, value in constant.items()}
    source = {"producerTask": "make"}
    taken = {name: {"taskOutputParameter": {**source, "outputParameterKey": name}} for name in KINDS}
    as_text = {f"{name}_text": source for name, source in taken.items()}
    artifacts = {
        name: {"taskOutputArtifact": {"producerTask": "make", "outputArtifactKey": name}} for name in ARTIFACTS
    }
    arguments = ["{{$}}", *(f"{name}={{{{$.inputs.parameters['{name}']}}}}" for name in (*taken, *as_text, "left_out"))]
    components = {
        "make": {
            "executorLabel": "exec-make",
            "inputDefinitions": {"parameters": kinds},
            "outputDefinitions": {"parameters": kinds, "artifacts": made},
        },
        "take": {
            "executorLabel": "exec-take",
            "inputDefinitions": {
                "parameters": {
                    **kinds,
                    **{name: {"parameterType": "STRING"} for name in as_text},
                    "left_out": {"parameterType": "STRING", "defaultValue": "default"},
                    "optional": {"parameterType": "LIST", "defaultValue": [1], "isOptional": True},
                },
                "artifacts": made,
            },
        },
    }
    executors = {
        "make": [MAKE, "{{$}}", json.dumps(told), *(f"{{{{$.inputs.parameters['{name}']}}}}" for name in constant)],
        "take": [TAKE, *arguments],
    }
    tasks = {
        "make": {"inputs": {"parameters": given}},
        "take": {"inputs": {"parameters": {**taken, **as_text}, "artifacts": artifacts}},
    }
    spec = {
        "pipelineInfo": {"name": "p"},
        "schemaVersion": "2.1.0",
        "root": {
            "dag": {
                "tasks": {
                    name: {"taskInfo": {"name": name}, "componentRef": {"name": f"comp-{name}"}, **task}
                    for name, task in tasks.items()
                }
            }
        },
        "components": {f"comp-{name}": component for name, component in components.items()},
        "deploymentSpec": {
            "executors": {
                f"exec-{name}": {"container": {"image": "i", "command": ["python", "-c"], "args": words}}
                for name, words in executors.items()
            }
        },
    }
    return yaml.safe_dump(spec)


FILES = {name: value if isinstance(value, str) else json.dumps(value) for name, value in VALUES.items()}


def output(**made: Any) -> Json:
    """What a step writes that gives all parameters and says this of the artifact `made`."""
    return {"output": {"parameterValues": VALUES, "artifacts": {"made": {"artifacts": [made]}}}}


CASES: dict[str, Json] = {
    "parameters in files": {"files": FILES},
    "parameters in the output": output(),
    "parameters in both": {"files": {**FILES, "text": "of the file"}, **output()},
    "metadata of all kinds": output(metadata=METADATA),
    "names that the launcher adds": output(metadata={"display_name": "mine", "store_session_info": "mine"}),
    "another place in the root": output(uri="ROOT/a"),
    "a place outside of the root": output(uri="minio://b/elsewhere"),
    "an address that is no store's": output(uri="https://b/elsewhere"),
    "a null in metadata": output(metadata={"nothing": None}),
    "a field that nobody knows": output(surprise=1),
    "a type of its own": output(type={"schemaTitle": "system.Dataset"}),
    "a parameter that is missing": {"files": {key: text for key, text in FILES.items() if key != "text"}},
    "a number that is none": {"files": {**FILES, "whole": "three"}},
    "a number that is not whole": {"files": {**FILES, "whole": "3.5"}},
    "a number with a blank line": {"files": {**FILES, "whole": "3\n"}},
    "a flag with a capital": {"files": {**FILES, "flag": "True"}},
    "a list that is none": {"files": {**FILES, "several": '{"a": 1}'}},
    "a list in single quotes": {"files": {**FILES, "several": "['a']"}},
}


@pytest.mark.parametrize("case", CASES)
def test_both_agree(case: str, tmp_path: Path) -> None:
    by_hand, installed = (
        told(kind, tmp_path / str(number), CASES[case]) for number, kind in enumerate(KINDS_OF_BACKEND)
    )
    assert by_hand == installed


KINDS_OF_BACKEND = (BY_HAND, INSTALLED)


def told(kind: str, bucket: Path, case: Json) -> Json:
    """States, what the steps printed, and what was kept, without what is another in each run."""
    with backend(kind, bucket, pipeline_root=ROOT) as there:
        run = there.run(compiled(case))
        kept: Json = {"succeeded": run.succeeded}
        for task in run.tasks.values():
            execution = task.execution
            kept[task.name] = [task.state, *(_printed(task.log) if task.state == "COMPLETE" else ())]
            if execution is not None:
                artifacts = {name: there.store.artifacts[i] for name, i in execution.artifacts.items()}
                kept[f"{task.name} kept"] = {
                    "parameters": execution.outputs,
                    "artifacts": {
                        name: {"type": artifact.type, "uri": artifact.uri, "properties": _without_session(artifact)}
                        for name, artifact in artifacts.items()
                    },
                }
    return json.loads(_UUID.sub("<id>", go_json(kept)))


_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def _printed(log: str) -> list[Any]:
    first, *rest = log.splitlines()
    words: list[Any] = json.loads(first)
    words[0] = json.loads(words[0])
    for artifacts in words[0]["inputs"].get("artifacts", {}).values():
        for artifact in artifacts["artifacts"]:
            assert artifact.pop("name").isdigit()
            artifact["metadata"].pop("store_session_info")
    return [*words, *rest]


def _without_session(artifact: Any) -> Json:
    return {name: value for name, value in artifact.properties.items() if name != "store_session_info"}
