"""The command of a step's container, in a pod: what it leaves behind, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.kubeflow.pod.pod_log import give_reason
from tests.kubeflow.emulator import Backend, TaskRun
from tests.kubeflow.pods import REPOSITORY, isolation
from tests.kubeflow.store import COMPLETE, FAILED

in_pods = pytest.mark.skipif(isolation() is None, reason="pods need mount namespaces, or a / that can be written")
NOISE = ("absl", "INFO", "Traceback")


def compiled(do: str, retries: int = 0) -> str:
    """A pipeline of one step."""
    parameters = {"do": {"parameterType": "STRING"}}
    inputs_spec = json.dumps({"parameters": parameters})
    command = ["segpipe-step", "run"]
    args = ["--executor_class_path", "steps.Executor", "--json_serialized_invocation_args", "{{$}}"]
    container = {
        "image": "i",
        # `tests` is no package that Python would find outside pytest.
        "env": [{"name": "PYTHONPATH", "value": f"{REPOSITORY}:{REPOSITORY}/tests/support"}],
        "command": command,
        "args": [*args, "--json_serialized_inputs_spec_args", inputs_spec, "--runner=FnApiRunner"],
    }
    step = {
        "taskInfo": {"name": "step"},
        "componentRef": {"name": "comp-step"},
        "inputs": {"parameters": {"do": {"runtimeValue": {"constant": do}}}},
        "retryPolicy": {"maxRetryCount": retries},
    }
    outputs = {"artifacts": {"report": {"artifactType": {"schemaTitle": "system.HTML", "schemaVersion": "0.0.1"}}}}
    platform = {"exec-step": {"pvcMount": [{"constant": "claim", "mountPath": "/mnt/claim"}]}}
    return yaml.safe_dump_all(
        [
            {
                "pipelineInfo": {"name": "p"},
                "schemaVersion": "2.1.0",
                "root": {"dag": {"tasks": {"step": step}}},
                "components": {
                    "comp-step": {
                        "executorLabel": "exec-step",
                        "inputDefinitions": {"parameters": parameters},
                        "outputDefinitions": outputs,
                    }
                },
                "deploymentSpec": {"executors": {"exec-step": {"container": container}}},
            },
            {"platforms": {"kubernetes": {"deploymentSpec": {"executors": platform}}}},
        ]
    )


def run(tmp_path: Path, do: str, **backend: Any) -> tuple[TaskRun, Backend]:
    claim = tmp_path / "claim"
    claim.mkdir()
    there = Backend(tmp_path / "bucket", {"claim": claim}, **{"pipeline_root": "minio://b/root", **backend})
    return there.run(compiled(do)).tasks["step"], there


@pytest.fixture(scope="module", params=["minio://b/root", pytest.param("gs://b/root", marks=pytest.mark.slow)])
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[TaskRun, Backend]:
    """A step that has left a page, in a bucket of each kind."""
    return run(tmp_path_factory.mktemp("written"), "write", pipeline_root=request.param)


@in_pods
def test_a_step_leaves_a_page_and_its_metadata(written: tuple[TaskRun, Backend]) -> None:
    step, backend = written
    assert step.state == COMPLETE, step.log
    assert step.execution is not None
    page = backend.store.artifacts[step.execution.artifacts["report"]]
    assert page.type == "system.HTML"
    assert backend.store.folder(page.uri).read_text() == "<html>"
    assert page.properties["place"] == ("string", f"{page.uri}/report.html")
    assert page.properties["matrix"] == ("struct", {"struct": {"rows": [{"row": [1.0, 2.0]}]}})
    assert set(page.properties) == {"place", "matrix", "display_name", "store_session_info"}


@in_pods
def test_its_log_has_what_it_reports_a_sign_of_life_and_no_noise(written: tuple[TaskRun, Backend]) -> None:
    step, backend = written
    lines = step.log.splitlines()
    assert "doing write" in lines
    assert [line for line in lines if line.endswith(" done")] == ["0 done"]
    assert lines[-1].startswith(f"report: {backend.pipeline_root}/p/")
    assert not [line for line in lines if any(noise in line for noise in NOISE)]


@in_pods
def test_a_users_mistake_is_one_line(tmp_path: Path) -> None:
    step, _ = run(tmp_path, "refuse")
    assert (step.state, step.status) == (FAILED, 1)
    assert step.last_line == "error: the data is bad: mend it"
    assert "Traceback" not in step.log


@in_pods
def test_our_mistake_has_its_traceback_above_the_line(tmp_path: Path) -> None:
    step, _ = run(tmp_path, "break_down")
    assert step.status == 1
    assert step.last_line.startswith("error: KeyError: 'x' (a bug or a cluster fault")
    assert "in break_down" in step.log


@in_pods
def test_a_pod_that_is_asked_to_end_ends(tmp_path: Path) -> None:
    def stop_once_at_work(_: str, process: int) -> None:
        def stop() -> None:
            while not (tmp_path / "claim" / "at-work").exists():
                time.sleep(0.2)
            os.kill(process, signal.SIGTERM)

        threading.Thread(target=stop, daemon=True).start()

    step, _ = run(tmp_path, "wait", on_start=stop_once_at_work)
    assert step.status == 143
    assert step.last_line == "stopped: the pod was asked to end"


def test_the_reason_is_told_to_kubernetes_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "termination-log"
    give_reason("nobody listens", file)
    assert not file.exists()
    file.touch()
    give_reason("a\n  b", file)
    assert capsys.readouterr().out == "error: nobody listens\nerror: a b\n"
    assert file.read_text() == "error: a b"


def test_nothing_heavy_is_imported_for_a_word_of_help() -> None:
    code = "import sys, pipeline.kubeflow.pod.entrypoint; print({'tensorflow', 'tfx', 'apache_beam'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_an_argument_that_no_command_knows_is_refused() -> None:
    command = [
        sys.executable,
        "-m",
        "pipeline.kubeflow.pod.entrypoint",
        "notify",
        "--executor_input",
        "{}",
        "--new",
        "1",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert (
        done.stdout
        == "error: unknown argument '--new' of segpipe-step; is the image older than the compiled pipeline?\n"
    )


def test_a_step_takes_no_more_of_a_gpu_than_it_needs() -> None:
    code = "import os; from pipeline.kubeflow.pod.entrypoint import run_command\n"
    code += "run_command(['notify', '--executor_input', '{}', '--new', '1'])\n"
    code += "print(os.environ['TF_FORCE_GPU_ALLOW_GROWTH'])"
    environment = {name: value for name, value in os.environ.items() if name != "TF_FORCE_GPU_ALLOW_GROWTH"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "true"
