"""The emulator's rules, on pipelines of small commands, beside what Kubeflow Pipelines' own programs make of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.kubeflow.emulator import Backend
from tests.kubeflow.installation import BY_HAND, INSTALLED, WITHOUT_METADATA, Installation, backend
from tests.kubeflow.pods import isolation
from tests.kubeflow.store import CACHED, COMPLETE, FAILED, NOT_TRIGGERED, RUNNING
from tests.kubeflow.workflow import PipelineRun

pytestmark = pytest.mark.skipif(isolation() is None, reason="pods need mount namespaces, or a / that can be written")

Json = dict[str, Any]
OUT = "{{$.outputs.parameters['out'].output_file}}"
TASK = """
import json, os, sys
given = json.loads(sys.argv[1])
outputs = given["outputs"]
print(json.dumps(given["inputs"]))
for parameter in outputs.get("parameters", {}).values():
    open(parameter["outputFile"], "w").write(sys.argv[2])
for name, listed in outputs["artifacts"].items():
    if name != "executor-logs":
        os.makedirs("/minio/" + listed["artifacts"][0]["uri"][8:] + "/empty")
        open("/minio/" + listed["artifacts"][0]["uri"][8:] + "/file", "w").write("x")
artifacts = {"made": {"artifacts": [{"metadata": {"list": [1], "flag": True, "text": "a"}}]}}
json.dump({"artifacts": artifacts}, open(outputs["outputFile"], "w"))
sys.exit(sys.argv[3:] == ["fail"])
"""


def component(task: str, outputs: Json | None = None, inputs: Json | None = None) -> Json:
    return {
        "executorLabel": f"exec-{task}",
        "outputDefinitions": outputs or {},
        "inputDefinitions": {"parameters": {key: {"parameterType": "STRING"} for key in inputs or {}}},
    }


def executor(*arguments: str) -> Json:
    return {"container": {"image": "i", "command": ["python", "-c", TASK], "args": ["{{$}}", *arguments]}}


def task(name: str, parameters: Json | None = None, **more: Any) -> Json:
    inputs = {"parameters": parameters or {}, "artifacts": more.pop("artifacts", {})}
    own = {"taskInfo": {"name": name}, "componentRef": {"name": f"comp-{name}"}, "inputs": inputs}
    return {**own, "cachingOptions": {"enableCache": True}, **more}


def compiled(tasks: Json, components: Json, executors: Json, parameters: Json | None = None) -> str:
    return yaml.safe_dump(
        {
            "pipelineInfo": {"name": "p"},
            "schemaVersion": "2.1.0",
            "root": {"dag": {"tasks": tasks}, "inputDefinitions": {"parameters": parameters or {}}},
            "components": {f"comp-{name}": spec for name, spec in components.items()},
            "deploymentSpec": {"executors": {f"exec-{name}": spec for name, spec in executors.items()}},
        }
    )


ROOT = "minio://b/root"
MADE = {"artifacts": {"made": {"artifactType": {"schemaTitle": "tfx.Model"}}}}
OUTPUT = {"parameters": {"out": {"parameterType": "STRING"}}}


def pair(word: str = "hello") -> str:
    """A task that makes an artifact and says a word, and one that takes both."""
    takes = {"artifacts": {"x": {"taskOutputArtifact": {"producerTask": "make", "outputArtifactKey": "made"}}}}
    said = {"word": {"taskOutputParameter": {"producerTask": "make", "outputParameterKey": "out"}}}
    return compiled(
        {"make": task("make"), "take": task("take", said, **takes)},
        {"make": component("make", {**MADE, **OUTPUT}), "take": component("take", inputs={"word": {}})},
        {"make": executor(word), "take": executor("")},
    )


@pytest.fixture(params=[BY_HAND, INSTALLED])
def there(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend | Installation]:
    with backend(request.param, tmp_path, pipeline_root=ROOT) as opened:
        yield opened


def given(run: PipelineRun, name: str) -> Json:
    """What the task printed first: the inputs that it was given."""
    return yaml.safe_load(run.tasks[name].log.splitlines()[0])


def test_artifacts_come_without_types_and_with_wrapped_metadata(there: Backend | Installation, tmp_path: Path) -> None:
    run = there.run(pair())
    inputs = given(run, "take")
    artifact = inputs["artifacts"]["x"]["artifacts"][0]
    assert inputs["parameterValues"] == {"word": "hello"}
    assert artifact["type"] == {"instanceSchema": ""} and artifact["name"].isdigit()
    assert artifact["metadata"]["list"] == {"list": [1]} and artifact["metadata"]["flag"] == 1
    assert artifact["metadata"]["display_name"] == "made" and "store_session_info" in artifact["metadata"]


def test_files_reach_the_bucket_and_empty_folders_vanish(there: Backend | Installation, tmp_path: Path) -> None:
    there.run(pair())
    names = {path.name for path in tmp_path.glob("b/root/p/*/make/*/made/*")}
    assert names == {"file"}
    assert list(tmp_path.glob("b/root/p/*/make/*/executor-logs-0"))


def test_a_second_run_is_cached_unless_the_command_changed(there: Backend | Installation, tmp_path: Path) -> None:
    there.run(pair())
    assert there.run(pair()).in_state(CACHED) == {"make", "take"}
    assert there.run(pair("other")).in_state(COMPLETE) == {"make", "take"}


def test_a_failed_task_is_tried_again_and_ends_the_run(there: Backend | Installation, tmp_path: Path) -> None:
    text = compiled(
        {"a": task("a", retryPolicy={"maxRetryCount": 2}), "b": task("b", dependentTasks=["a"])},
        {"a": component("a"), "b": component("b")},
        {"a": executor("", "fail"), "b": executor("")},
    )
    run = there.run(text)
    assert not run.succeeded and run.in_state("OMITTED") == {"b"}
    assert run.tasks["a"].attempts == 3
    assert {path.name for path in tmp_path.glob("b/root/p/*/a/*/*")} == {f"executor-logs-{n}" for n in range(3)}


def test_a_constant_that_is_a_placeholder_is_expanded_by_the_driver_and_nothing_else(
    there: Backend | Installation,
) -> None:
    """v2/driver/resolve.go, resolveInputParameter; the time of the schedule is that of the creation."""
    texts = {
        "id": "{{$.pipeline_job_uuid}}",
        "name": "{{$.pipeline_job_name}}",
        "resource": "{{$.pipeline_job_resource_name}}",
        "created": "{{$.pipeline_job_create_time_utc}}",
        "scheduled": "{{$.pipeline_job_schedule_time_utc}}",
        "part": "run {{$.pipeline_job_uuid}}",
        "macro": "[[ScheduledTime]]",
        "older": "{{$.pipeline_job_schedule_time_utc_placeholder}}",
    }
    constants = {name: {"runtimeValue": {"constant": text}} for name, text in texts.items()}
    text = compiled({"a": task("a", constants)}, {"a": component("a", inputs=texts)}, {"a": executor("")})
    run = there.run(text)
    values = given(run, "a")["parameterValues"]
    assert (values["id"], values["name"], values["resource"]) == (run.id, "run of p", "p-x7k2p")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", values["created"])
    assert values["scheduled"] == values["created"]
    assert {name: values[name] for name in ("part", "macro", "older")} == {
        name: texts[name] for name in ("part", "macro", "older")
    }


def guarded(*arguments: str) -> str:
    """A group that runs if its parameter says so, in a group after which an exit task is told the state."""
    inner = {"dag": {"tasks": {"work": task("work")}}, "inputDefinitions": {"parameters": {}}}
    condition = {"condition": "inputs.parameter_values['go'] == 'yes'"}
    go = {"go": {"componentInputParameter": "go"}}
    outer = {"dag": {"tasks": {"inner": task("inner", go, triggerPolicy=condition)}}}
    status = {"status": {"taskFinalStatus": {"producerTask": "outer"}}}
    told = {"inputDefinitions": {"parameters": {"status": {"parameterType": "TASK_FINAL_STATUS"}}}}
    last = {"dependentTasks": ["outer"], "triggerPolicy": {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}}
    return compiled(
        {"outer": task("outer", go), "told": task("told", status, **last)},
        {"inner": inner, "outer": outer, "work": component("work"), "told": {"executorLabel": "exec-told", **told}},
        {"work": executor("", *arguments), "told": executor("")},
        {"go": {"parameterType": "STRING", "defaultValue": "yes"}},
    )


@pytest.mark.parametrize(
    ("arguments", "parameters", "work", "state"),
    [
        ((), {}, COMPLETE, COMPLETE),
        (("fail",), {}, FAILED, FAILED),
        # No launcher ran, and only launchers settle the state of a group.
        ((), {"go": "no"}, None, RUNNING),
    ],
)
def test_the_exit_task_is_told_the_state_that_launchers_have_left(
    there: Backend | Installation, arguments: tuple[str, ...], parameters: Json, work: str | None, state: str
) -> None:
    run = there.run(guarded(*arguments), parameters)
    assert given(run, "told")["parameterValues"]["status"]["state"] == state
    assert run.succeeded is (state != FAILED)
    assert (run.tasks["work"].state if "work" in run.tasks else None) == work
    assert run.in_state(NOT_TRIGGERED) == (set() if work else {"inner"})


def test_the_exit_task_is_told_of_a_group_that_was_cached_that_it_is_running(there: Backend | Installation) -> None:
    there.run(guarded())
    run = there.run(guarded())
    assert run.tasks["work"].state == CACHED
    assert given(run, "told")["parameterValues"]["status"]["state"] == RUNNING


def test_a_parameter_that_the_pipeline_does_not_have_is_refused(there: Backend | Installation, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not have"):
        there.run(guarded(), {"stop": "x"})


class TestWithoutMetadata:
    """A backend after 2.17, in which the API server keeps tasks and artifacts: by hand alone."""

    @pytest.fixture
    def there(self, tmp_path: Path) -> Iterator[Backend | Installation]:
        with backend(WITHOUT_METADATA, tmp_path, pipeline_root=ROOT) as opened:
            yield opened

    def test_artifacts_come_with_types_and_as_they_were(self, there: Backend) -> None:
        artifact = given(there.run(pair()), "take")["artifacts"]["x"]["artifacts"][0]
        assert artifact["type"] == {"schemaTitle": "tfx.Model"} and artifact["artifactId"].isdigit()
        assert artifact["metadata"] == {"list": [1], "flag": True, "text": "a"}

    def test_a_second_run_is_cached(self, there: Backend) -> None:
        there.run(pair())
        assert there.run(pair()).in_state(CACHED) == {"make", "take"}

    @pytest.mark.parametrize(
        ("arguments", "parameters", "state"),
        [((), {}, "SUCCEEDED"), (("fail",), {}, FAILED), ((), {"go": "no"}, "SKIPPED")],
    )
    def test_the_exit_task_is_told_a_state_in_all_cases(
        self, there: Backend, arguments: tuple[str, ...], parameters: Json, state: str
    ) -> None:
        assert given(there.run(guarded(*arguments), parameters), "told")["parameterValues"]["status"]["state"] == state

    def test_of_a_group_that_was_cached_it_is_told_so(self, there: Backend) -> None:
        there.run(guarded())
        assert given(there.run(guarded()), "told")["parameterValues"]["status"]["state"] == CACHED

    @pytest.mark.parametrize(
        ("title", "reason"),
        [("system.Metrics", "must be a number"), ("system.ClassificationMetrics", "")],
    )
    def test_figures_are_numbers(self, there: Backend, title: str, reason: str) -> None:
        made = {"artifacts": {"made": {"artifactType": {"schemaTitle": title}}}}
        text = compiled({"make": task("make")}, {"make": component("make", made)}, {"make": executor("")})
        run = there.run(text)
        assert run.succeeded is not bool(reason)
        assert reason in run.tasks["make"].log

    def test_an_output_must_be_there(self, there: Backend) -> None:
        named = {"artifacts": {"made": MADE["artifacts"]["made"], "absent": MADE["artifacts"]["made"]}}
        absent = TASK.replace('if name != "executor-logs":', 'if name == "made":')
        words = {"container": {"image": "i", "command": ["python", "-c", absent], "args": ["{{$}}", ""]}}
        run = there.run(compiled({"make": task("make")}, {"make": component("make", named)}, {"make": words}))
        assert "declared output artifact 'absent' is missing" in run.tasks["make"].log
