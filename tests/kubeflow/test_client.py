"""What runs, schedules and their replacement look like from the cluster's side."""

from __future__ import annotations

import base64
import contextlib
import datetime
import gzip
import http.server
import io
import itertools
import json
import re
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from common.errors import UserError
from pipeline.cli.kubeflow_commands import commit_of
from pipeline.config.run_config import load_config
from pipeline.kubeflow.client import recurring, watching
from pipeline.kubeflow.client.api import Client, Work
from pipeline.kubeflow.client.compiled_pipeline import Compiled, Step, read_compiled
from pipeline.kubeflow.client.connection import Api, UnreachableError, find_connection
from pipeline.kubeflow.client.nodes import nodes_of_run, nodes_of_workflow
from pipeline.kubeflow.client.recurring import Outcome, Wanted, reconcile_schedule
from pipeline.kubeflow.client.watching import Watched
from tests.support import kfp_api
from tests.support.compiled_pipeline import compile_pipeline
from tests.support.kfp_api import Json, KfpApi, Nodes, Request

CONFIG = Path("pipeline/configs/sample.yaml")
DAILY, HOURLY = "0 0 3 * * *", "0 0 * * * *"
UTC = datetime.timezone.utc
NO_CPU = (
    "Unschedulable: 0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes "
    "are available: 1 No preemption victims found for incoming pod."
)
BACK_OFF = 'ImagePullBackOff: Back-off pulling image "segpipe:9"'
ERR_PULL = 'ErrImagePull: failed to pull and unpack image "segpipe:9": not found'
RETRIED = [
    ("train", "RUNNING", ("train/executor",)),
    ("train/executor", "RUNNING", ("train/executor(0)", "train/executor(1)")),
]


@pytest.fixture
def api() -> Iterator[KfpApi]:
    with kfp_api.serving() as server:
        yield server


@pytest.fixture
def client(api: KfpApi) -> Client:
    return make_client(api)


@pytest.fixture(scope="module")
def compiled() -> Compiled:
    return read_compiled(compile_pipeline(load_config(CONFIG)))


def make_client(api: KfpApi, **environment: str) -> Client:
    return Client(Api(find_connection(api.url, environment=environment)), "kubeflow")


def work(client: Client, compiled: Compiled, commit: str = "abc", **parameters: Any) -> Work:
    version = client.ensure_version(client.ensure_pipeline("sample"), compiled, commit)
    experiment = client.ensure_experiment("sample")
    return Work(experiment, version, parameters, "minio://mlpipeline/runs", "segpipe-pipeline")


class TestConnection:
    def test_the_page_of_the_dashboard_is_not_part_of_the_address(self) -> None:
        connection = find_connection("https://kubeflow.example/pipeline/#/runs", environment={})
        assert connection.host == "https://kubeflow.example/pipeline"
        assert connection.run_address("r-1") == "https://kubeflow.example/pipeline/#/runs/details/r-1"

    def test_the_dashboard_may_be_elsewhere_than_the_api(self) -> None:
        environment = {"KF_PIPELINES_UI_ENDPOINT": "https://dashboard/"}
        connection = find_connection("http://ml-pipeline.kubeflow:8888", environment=environment)
        assert connection.run_address("r-1") == "https://dashboard/#/runs/details/r-1"

    @pytest.mark.parametrize(
        ("host", "sentence"),
        [
            (None, "--host URL or KFP_ENDPOINT"),
            ("localhost:8080", "'localhost:8080' is not an address; write http:// or https://"),
            ("https://", "is not an address"),
        ],
    )
    def test_an_address_that_is_none_is_refused(self, host: str | None, sentence: str) -> None:
        with pytest.raises(UserError, match=sentence):
            find_connection(host, environment={})

    def test_a_missing_certificate_or_token_file_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match=r"the certificate file .*/ca\.pem does not exist"):
            find_connection("https://host", tmp_path / "ca.pem", environment={})
        with pytest.raises(UserError, match=r"KF_PIPELINES_SA_TOKEN_PATH names .*/token, which is not a file"):
            find_connection("https://host", environment={"KF_PIPELINES_SA_TOKEN_PATH": str(tmp_path / "token")})

    def test_a_token_lets_in(self, api: KfpApi) -> None:
        api.token = "open sesame"
        make_client(api, KFP_TOKEN="open sesame").check()
        with pytest.raises(UserError, match=r"did not accept your credentials \(401\): put a token into KFP_TOKEN"):
            make_client(api, KFP_TOKEN="wrong").check()
        with pytest.raises(UserError, match="401"):
            make_client(api).check()

    def test_a_token_file_is_read_anew_since_the_kubelet_renews_it(self, api: KfpApi, tmp_path: Path) -> None:
        file = tmp_path / "token"
        file.write_text("first\n")
        client = make_client(api, KF_PIPELINES_SA_TOKEN_PATH=str(file))
        for token in ("first", "second"):
            api.token = token
            file.write_text(f"{token}\n")
            client.check()
        file.unlink()
        with pytest.raises(UserError, match="cannot read the token in"):
            client.check()

    def test_a_token_that_is_given_goes_before_a_file(self, api: KfpApi, tmp_path: Path) -> None:
        (tmp_path / "token").write_text("old")
        api.token = "given"
        make_client(api, KFP_TOKEN="given", KF_PIPELINES_SA_TOKEN_PATH=str(tmp_path / "token")).check()


class TestRefusals:
    @pytest.mark.parametrize(
        ("answer", "sentence"),
        [
            ((403, {}, '{"message": "not yours"}'), r"does not allow this \(403\): not yours; ask for the right"),
            ((404, {}, "404 page not found"), r"http://\S+ has no Kubeflow Pipelines API v2beta1 \(404\)"),
            ((302, {"location": "https://dex/auth"}, ""), "sends to https://dex/auth instead of the API"),
            ((200, {"content-type": "text/html"}, "<!doctype html>"), "answers with a web page instead of the API"),
            ((503, {}, "no healthy upstream"), r"is not ready \(503\); try again"),
            ((500, {}, "panic"), r"refused \(500\): Internal Server Error"),
        ],
    )
    def test_is_one_sentence_that_says_what_to_do(
        self, api: KfpApi, client: Client, answer: tuple[int, dict[str, str], str], sentence: str
    ) -> None:
        api.answer = answer
        with pytest.raises(UserError, match=sentence) as error:
            client.check()
        assert len(str(error.value).splitlines()) == 1

    def test_a_host_that_does_not_answer_is_named(self) -> None:
        client = Client(Api(find_connection("http://127.0.0.1:9", environment={})), "kubeflow")
        with pytest.raises(UserError, match=r"does not answer at http://127\.0\.0\.1:9 \(Failed to .*whether a port-"):
            client.check()

    def test_what_the_api_says_briefly_is_passed_on(self, api: KfpApi, client: Client, compiled: Compiled) -> None:
        wanted = work(client, compiled, depth=3)
        with pytest.raises(UserError, match=r"refused \(400\): parameter\(s\) provided are not required .*: depth$"):
            client.start_run("sample", wanted)

    def test_an_untrusted_certificate_asks_for_the_authority(self, tmp_path: Path) -> None:
        if not shutil.which("openssl"):
            pytest.skip("there is no openssl to make a certificate")
        key, certificate = _make_certificate(tmp_path)
        with _https(key, certificate) as url:
            with pytest.raises(UserError, match=r"is not trusted .*; name your authority's with --ca FILE"):
                Client(Api(find_connection(url, environment={})), "kubeflow").check()
            Client(Api(find_connection(url, certificate, environment={})), "kubeflow").check()


class TestUpload:
    def test_a_version_is_named_for_commit_and_content(self, api: KfpApi, client: Client, compiled: Compiled) -> None:
        version = work(client, compiled, "1a2b3c-dirty").version
        assert version.is_new
        assert version.name == f"1a2b3c-dirty-{compiled.digest}"
        assert [pipeline["name"] for pipeline in api.pipelines.values()] == ["sample"]
        assert api.versions[version.version_id]["pipeline_spec"]["platform_spec"]["platforms"]

    def test_the_same_text_is_uploaded_once(self, api: KfpApi, client: Client, compiled: Compiled) -> None:
        first = work(client, compiled, "1a2b3c").version
        again = work(client, compiled, "4d5e6f").version
        assert again == first._replace(is_new=False)
        assert api.count("POST", ".*upload_version") == 1
        assert api.count("POST", ".*/pipelines") == 1
        assert api.count("POST", ".*/experiments") == 1

    def test_it_is_found_behind_many_others(self, api: KfpApi, client: Client, compiled: Compiled) -> None:
        api.largest_page = 1
        for number in range(3):
            other = compiled._replace(text=f"{compiled.text}# {number}\n")
            work(client, other)
            client.ensure_experiment(f"experiment {number} + 100 %")
        first = work(client, compiled)
        assert work(client, compiled).version.version_id == first.version.version_id
        assert len(api.versions) == len(api.experiments) == 4

    def test_two_at_the_same_time_agree(self, api: KfpApi, client: Client, compiled: Compiled) -> None:
        rival = make_client(api)

        def be_faster(request: Request) -> None:
            api.before = lambda request: None
            work(rival, compiled)

        def arrives_first(path: str) -> Callable[[Request], None]:
            return lambda request: be_faster(request) if request.changes and request.path.endswith(path) else None

        api.before = arrives_first("/pipelines")
        first = work(client, compiled)
        other = compiled._replace(text=compiled.text + "# other\n")
        compiled = other
        api.before = arrives_first("/upload_version")
        second = work(client, other)
        assert len(api.pipelines) == len(api.experiments) == 1
        assert len(api.versions) == 2
        assert first.experiment_id == second.experiment_id

    def test_an_archived_experiment_is_not_revived_in_silence(
        self, api: KfpApi, client: Client, compiled: Compiled
    ) -> None:
        experiment = client.ensure_experiment("sample")
        api.experiments[experiment]["storage_state"] = "ARCHIVED"
        with pytest.raises(UserError, match=r"'sample' is archived: restore it, or choose another"):
            client.ensure_experiment("sample")

    def test_the_commit_is_marked_where_files_have_changed(self, tmp_path: Path) -> None:
        config = tmp_path / "use-case.yaml"
        config.write_text("name: a\n")
        assert commit_of(config).startswith("v")
        git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
        for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "First"], ["tag", "v7"]):
            subprocess.run([*git, *command], check=True)
        clean = commit_of(config)
        assert len(clean) == 12
        config.write_text("name: b\n")
        assert commit_of(config) == f"{clean}-dirty"


class TestParameters:
    def test_are_typed_as_the_pipeline_wants_them(self, compiled: Compiled) -> None:
        assert compiled.parameters(["epochs=5", "data_root=5", "overrides=a=b"]) == {
            "epochs": 5,
            "data_root": "5",
            "overrides": "a=b",
        }

    @pytest.mark.parametrize(
        ("assignment", "sentence"),
        [
            ("epochs", "write it as name=value"),
            ("epoch=5", "has no parameter 'epoch'; did you mean 'epochs'"),
            ("xyz=5", "there are data_root, epochs, overrides, run_date"),
            ("epochs=five", "'five' must be an integer"),
            ("epochs=true", "'true' must be an integer"),
            ("epochs=[", "is not a valid YAML value"),
        ],
    )
    def test_a_wrong_one_is_refused(self, compiled: Compiled, assignment: str, sentence: str) -> None:
        with pytest.raises(UserError, match=sentence):
            compiled.parameters([assignment])

    def test_steps_are_in_an_order_that_data_can_take(self, compiled: Compiled) -> None:
        assert [step.label for step in compiled.steps] == ["Capture run state", "Ingest pairs", "Train"]


class TestRuns:
    def test_a_run_has_what_was_asked_for(self, api: KfpApi, client: Client, compiled: Compiled) -> None:
        wanted = work(client, compiled, epochs=5)
        run = api.runs[client.start_run("sample 1", wanted)]
        assert run["experiment_id"] == wanted.experiment_id
        assert run["pipeline_version_reference"]["pipeline_version_id"] == wanted.version.version_id
        assert run["runtime_config"] == {"parameters": {"epochs": 5}, "pipeline_root": "minio://mlpipeline/runs"}
        assert run["service_account"] == "segpipe-pipeline"

    def test_the_latest_are_listed_first_and_only_those_of_the_pipeline(
        self, api: KfpApi, client: Client, compiled: Compiled
    ) -> None:
        wanted = work(client, compiled)
        started = [client.start_run(f"sample {number}", wanted) for number in range(4)]
        other = client.ensure_version(client.ensure_pipeline("other"), compiled, "abc")
        client.start_run("other", wanted._replace(version=other))
        api.largest_page = 2
        runs = client.runs(wanted.experiment_id, wanted.version.pipeline_id, 3)
        assert [run.run_id for run in runs] == started[:0:-1]


class TestWatching:
    def test_shows_a_line_a_change_where_there_is_no_terminal(
        self, api: KfpApi, client: Client, compiled: Compiled
    ) -> None:
        api.script = kfp_api.going_well
        shown, run = watched(client, compiled)
        assert run.state == "SUCCEEDED"
        assert shown.splitlines() == [
            "… Capture run state · starting",
            "▶ Capture run state · running",
            "✓ Capture run state · 64 s",
            "… Ingest pairs · starting",
            "▶ Ingest pairs · running",
            "✓ Ingest pairs · 64 s",
            "… Train · starting",
            "▶ Train · running",
            "✓ Train · 64 s",
        ]

    def test_draws_a_table_in_a_terminal(self, api: KfpApi, client: Client, compiled: Compiled) -> None:
        api.script = kfp_api.going_well
        shown, _ = watched(client, compiled, force_terminal=True)
        assert "Capture run state" in shown
        assert "waiting" in shown
        assert "\x1b[" in shown

    def test_says_which_step_failed_and_what_it_said_last(
        self, api: KfpApi, client: Client, compiled: Compiled
    ) -> None:
        api.script = kfp_api.failing_at("ingest")
        api.logs[kfp_api.pod_of("ingest")] = (
            "epoch 1/16\nerror: there is no folder gs://pets; check data.source.root\n\n"
            "F0821 10:00:01.1 main.go:57] failed to execute component: exit status 1\n"
        )
        shown, run = watched(client, compiled)
        reason = watching.why_failed(client, run, compiled.steps)
        assert reason == "the step 'Ingest pairs' failed: there is no folder gs://pets; check data.source.root"
        assert "✗ Ingest pairs · 64 s" in shown
        assert "Train" not in shown

    def test_a_step_whose_log_is_gone_is_named_all_the_same(
        self, api: KfpApi, client: Client, compiled: Compiled
    ) -> None:
        api.script = kfp_api.failing_at("train")
        _, run = watched(client, compiled)
        assert watching.why_failed(client, run, compiled.steps) == "the step 'Train' failed"

    @pytest.mark.parametrize("shown", ["in the history", "while watching"])
    def test_a_run_that_was_terminated_has_no_failed_step(
        self, api: KfpApi, client: Client, compiled: Compiled, shown: str
    ) -> None:
        nodes = Nodes()
        nodes.set("survey-driver", "FAILED")
        history = [{"state": state} for state in ("RUNNING", "CANCELING", "FAILED")]
        looks = {
            "in the history": [nodes.run("FAILED") | {"state_history": history}],
            "while watching": [nodes.run("CANCELING"), nodes.run("FAILED")],
        }
        api.script = lambda tasks: iter(looks[shown])
        _, run = watched(client, compiled)
        assert run.state == "TERMINATED"
        assert watching.why_failed(client, run, compiled.steps) == "the run was terminated"

    def test_bears_with_an_outage(
        self, api: KfpApi, client: Client, compiled: Compiled, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        api.script = kfp_api.going_well

        def fall_silent(request: Request) -> None:
            api.answer = (503, {}, "no healthy upstream") if len(api.requests) % 3 == 0 else None

        run_id = client.start_run("sample", work(client, compiled))
        api.before = fall_silent
        console = Console(file=io.StringIO())
        assert watching.watch(client, run_id, compiled.steps, console, sleep=_no_sleep).state == "SUCCEEDED"
        api.runs[run_id]["state"] = "RUNNING"
        api.before = lambda request: setattr(api, "answer", (503, {}, ""))
        monkeypatch.setattr(watching, "_PATIENCE", 0.0)
        with pytest.raises(UnreachableError):
            watching.watch(client, run_id, compiled.steps, console, sleep=_no_sleep)

    @pytest.mark.parametrize(
        ("nodes", "state"),
        [
            ([], "waiting"),
            ([("train-driver", "RUNNING", ())], "starting"),
            ([("train-driver", "SUCCEEDED", ())], "starting"),
            ([("train", "RUNNING", ("train/executor",)), ("train/executor", "PENDING", ())], "starting"),
            ([("train", "RUNNING", ("train/executor",)), ("train/executor", "RUNNING", ())], "running"),
            ([*RETRIED, ("train/executor(0)", "FAILED", ())], "running"),
            ([*RETRIED, ("train/executor(0)", "FAILED", ()), ("train/executor(1)", "PENDING", ())], "starting"),
            ([*RETRIED, ("train/executor(0)", "PENDING", ())], "starting"),
            ([("train", "SUCCEEDED", ("train/executor",)), ("train/executor", "SUCCEEDED", ())], "done"),
            ([("train", "SUCCEEDED", ("train/executor",)), ("train/executor", "SKIPPED", ())], "cached"),
            ([("train-driver", "SUCCEEDED", ()), ("train", "SKIPPED", ())], "skipped"),
            ([("train-driver", "FAILED", ()), ("train", None, ())], "failed"),
            ([("train-driver", None, ()), ("train", None, ())], "waiting"),
        ],
    )
    def test_argo_s_nodes_are_read_as_states_of_a_step(
        self, nodes: list[tuple[str, str | None, tuple[str, ...]]], state: str
    ) -> None:
        argo = Nodes()
        for node in nodes:
            argo.set(*node)
        of_workflow = nodes_of_workflow(argo.workflow())
        (row,) = watching.rows(of_workflow, [Step("train", "Train")], datetime.datetime.now(UTC))
        assert row.state == state

    @pytest.mark.parametrize(
        ("node", "state"), [("RUNNING", "running"), ("SUCCEEDED", "done"), ("SKIPPED", "skipped"), ("FAILED", "failed")]
    )
    def test_the_details_of_a_run_know_names_and_states_but_no_pods(self, node: str, state: str) -> None:
        argo = Nodes()
        argo.set("train-driver", "SUCCEEDED", ("train",))
        argo.set("train", node, ("train/executor",))
        argo.set("train/executor", node)
        nodes = nodes_of_run(_as_model(argo))
        assert nodes.state("train") == state
        assert not any(pod.pod for pod in nodes.failed_pods("train"))

    @pytest.mark.parametrize(
        ("driver", "executor", "task", "state"),
        [
            ("PENDING", None, None, "starting"),
            ("SUCCEEDED", "PENDING", "RUNNING", "starting"),
            ("SUCCEEDED", "RUNNING", "RUNNING", "running"),
            ("SUCCEEDED", "SKIPPED", "SUCCEEDED", "cached"),
            ("SUCCEEDED", "SUCCEEDED", "SUCCEEDED", "done"),
            ("SUCCEEDED", "FAILED", "FAILED", "failed"),
        ],
    )
    def test_each_node_may_have_attempts_as_kubeflow_s_own_settings_of_argo_make_them(
        self, driver: str, executor: str | None, task: str | None, state: str
    ) -> None:
        argo = Nodes()
        argo.set("train-driver", "RUNNING" if driver == "PENDING" else driver, ("train-driver(0)",))
        argo.set("train-driver(0)", driver, ("train",) if task else ())
        if task:
            argo.set("train", task, ("train(0)",))
            argo.set("train(0)", task, ("train/executor",))
            argo.set("train/executor", "RUNNING" if executor == "PENDING" else executor, ("train/executor(0)",))
            argo.set("train/executor(0)", executor)
        nodes = nodes_of_workflow(argo.workflow())
        assert nodes.state("train") == state
        pods = {pod.name for pod in (nodes.waiting_pod("train"), *nodes.failed_pods("train")) if pod is not None}
        assert pods - {"train", "executor"} == {
            "starting": {"executor(0)" if executor else "train-driver(0)"},
            "failed": {"executor(0)"},
        }.get(state, set())

    def test_the_last_of_several_attempts_tells_why(self, api: KfpApi, client: Client) -> None:
        argo = Nodes()
        argo.set("train", "FAILED", ("train/executor",))
        argo.set("train/executor", "FAILED", ("train/executor(0)", "train/executor(1)", "next-driver"))
        for attempt in ("train/executor(0)", "train/executor(1)"):
            argo.set(attempt, "FAILED")
        _report(api, argo)
        api.logs[argo.pod("train/executor(0)")] = "Killed"
        api.logs[argo.pod("train/executor(1)")] = "error: out of memory\n"
        reason = watching.why_failed(client, Watched(_as_model(argo), "FAILED"), [Step("train", "Train")])
        assert reason == "the step 'Train' failed: out of memory"

    def test_a_driver_that_failed_tells_why(self, api: KfpApi, client: Client) -> None:
        argo = Nodes()
        argo.set("train-driver", "FAILED")
        _report(api, argo)
        api.logs[argo.pod("train-driver")] = "F0821 10:00:00.0 main.go:1] no such secret\nresolving inputs failed\n"
        reason = watching.why_failed(client, Watched(_as_model(argo), "FAILED"), [Step("train", "Train")])
        assert reason == "the step 'Train' failed: resolving inputs failed"

    @pytest.mark.parametrize(
        ("seconds", "text"), [(0.4, "0 s"), (119, "119 s"), (125, "2 min 5 s"), (7200, "2 h 0 min")]
    )
    def test_durations_are_short(self, seconds: float, text: str) -> None:
        assert watching.duration(seconds) == text


class TestHeld:
    """What keeps a run from going on, and what a pod could not say itself."""

    def test_a_step_that_finds_no_node_says_why_and_again_when_that_changes(
        self, api: KfpApi, client: Client, compiled: Compiled
    ) -> None:
        def script(tasks: list[str]) -> Iterator[Json]:
            nodes = _at_train()
            for message in ([NO_CPU] * 8) + ([NO_CPU.replace("1", "2")] * 4) + ([BACK_OFF, ERR_PULL] * 4):
                nodes.set("train/executor(0)", "PENDING", message=message)
                yield nodes.run("RUNNING")
            nodes.set("train", "SUCCEEDED", ("train/executor",))
            yield nodes.run("SUCCEEDED")

        api.script = script
        shown, run = watched(client, compiled)
        assert run.state == "SUCCEEDED"
        assert shown.splitlines() == [
            "… Train · starting",
            "… Train · starting: 0/1 nodes are available: 1 Insufficient cpu; a request of kubeflow.steps.train.cpu is "
            "larger than what is free on a node",
            f"… Train · starting: {BACK_OFF}; kubeflow.image names the image, kubeflow.pull_secrets what it is pulled "
            "with",
            "✓ Train · 64 s",
        ]
        assert api.count("GET", "/apis/v1beta1/runs/.*") <= api.count("GET", "/apis/v2beta1/runs/.*")

    def test_no_pod_is_asked_for_of_a_run_that_goes_well(self, api: KfpApi, client: Client, compiled: Compiled) -> None:
        api.script = kfp_api.going_well
        watched(client, compiled)
        assert not api.count("GET", "/k8s/.*")

    def test_a_table_shows_it_too(self, api: KfpApi, client: Client, compiled: Compiled) -> None:
        api.script = _held_at("train/executor(0)", NO_CPU)
        shown, _ = watched(client, compiled, force_terminal=True)
        assert "1 Insufficient cpu" in shown

    def test_a_driver_that_is_held_is_told_from_the_step(self, api: KfpApi, client: Client, compiled: Compiled) -> None:
        nodes = Nodes()
        nodes.set("train-driver", "PENDING", message=NO_CPU)
        api.script = _for_a_while(nodes)
        assert "the pod is the driver of Kubeflow Pipelines, not the step's" in watched(client, compiled)[0]

    @pytest.mark.parametrize("driver", ["root-driver", "pipeline-driver"])
    def test_the_driver_of_the_run_holds_the_run(
        self, api: KfpApi, client: Client, compiled: Compiled, driver: str
    ) -> None:
        nodes = Nodes()
        nodes.set(driver, "PENDING", message=NO_CPU)
        api.script = _for_a_while(nodes)
        assert watched(client, compiled)[0].startswith(
            "… Run · starting: 0/1 nodes are available: 1 Insufficient cpu; "
        )

    @pytest.mark.parametrize(
        ("workflow", "sentence"),
        [
            (
                {},
                "the run's workflow has not been reported; check whether the deployments ml-pipeline-persistenceagent",
            ),
            (
                {"metadata": {"name": "sample-x7"}},
                "Argo has not started the workflow sample-x7; check whether the depl",
            ),
            (
                {"status": {"phase": "Pending", "message": "Workflow processing has been postponed because too many"}},
                "Workflow processing has been postponed because too many",
            ),
        ],
    )
    def test_a_workflow_that_nobody_takes_up_is_the_run_s(
        self, api: KfpApi, client: Client, compiled: Compiled, workflow: Json, sentence: str
    ) -> None:
        def script(tasks: list[str]) -> Iterator[Json]:
            yield from itertools.repeat({"state": "PENDING", "workflow": workflow}, 6)
            yield Nodes().run("SUCCEEDED")

        api.script = script
        assert watched(client, compiled)[0].startswith(f"… Run · starting: {sentence}")

    def test_the_dashboard_is_asked_where_argo_is_silent(self, api: KfpApi, client: Client, compiled: Compiled) -> None:
        api.script = _held_at("train/executor(0)", "PodInitializing")
        pod = _at_train().pod("train/executor(0)")
        api.pods[pod] = {"kind": "Pod", "status": {"phase": "Pending"}}
        api.events[pod] = [{"type": "Warning", "reason": "FailedMount", "message": 'secret "keys" not found'}]
        shown, _ = watched(client, compiled)
        assert (
            'Train · starting: FailedMount: secret "keys" not found; create the secret keys in the namespace' in shown
        )

    def test_without_rights_the_step_is_running_and_no_more(
        self, api: KfpApi, client: Client, compiled: Compiled
    ) -> None:
        api.script = _held_at("train/executor(0)", NO_CPU)
        api.tells_workflows = False
        shown, run = watched(client, compiled)
        assert run.state == "SUCCEEDED"
        assert shown.splitlines() == ["▶ Train · running", "✓ Train · 64 s"]

    def test_a_run_whose_steps_nobody_tells_is_said_to_be_one(
        self, api: KfpApi, client: Client, compiled: Compiled
    ) -> None:
        api.has_metadata = api.tells_workflows = False
        api.script = _for_a_while(_at_train())
        assert watched(client, compiled)[0].startswith(
            "… Run · starting: the API does not report the steps of this run"
        )

    def test_a_backend_without_ml_metadata_is_watched_by_its_workflow(
        self, api: KfpApi, client: Client, compiled: Compiled
    ) -> None:
        api.has_metadata = False
        api.script = kfp_api.failing_at("ingest")
        api.logs[kfp_api.pod_of("ingest")] = "error: there is no folder\n"
        shown, run = watched(client, compiled)
        assert "✓ Capture run state · 64 s" in shown
        assert "✗ Ingest pairs · 64 s" in shown
        assert watching.why_failed(client, run, compiled.steps) == "the step 'Ingest pairs' failed: there is no folder"

    def test_a_packed_workflow_is_read(self) -> None:
        workflow = _at_train().workflow()
        packed = gzip.compress(json.dumps(workflow["status"].pop("nodes")).encode())
        workflow["status"]["compressedNodes"] = base64.b64encode(packed).decode()
        assert nodes_of_workflow(workflow).tasks == ["train"]

    def test_runs_are_listed_with_what_holds_them(self, api: KfpApi, client: Client, compiled: Compiled) -> None:
        held, ended = (client.start_run(f"sample {n}", work(client, compiled)) for n in range(2))
        nodes = Nodes()
        nodes.set("trainer-driver", "SUCCEEDED", ("trainer",))
        nodes.set("trainer", "RUNNING", ("trainer/executor",))
        nodes.set("trainer/executor", "PENDING", message=NO_CPU)
        for run_id, state in ((held, "RUNNING"), (ended, "FAILED")):
            look = nodes.run(state)
            api.workflows[run_id] = look.pop("workflow")
            api.runs[run_id].update(look)
        listed = segpipe(api, "runs", CONFIG).stdout.splitlines()
        assert listed[3:] == [
            "… Train · starting: 0/1 nodes are available: 1 Insufficient cpu; a request of kubeflow.steps.trainer.cpu "
            f"is larger than what is free on a node; {api.url}/#/runs/details/{held}"
        ]
        assert api.count("GET", "/apis/v1beta1/runs/.*") == 1

    @pytest.mark.parametrize(
        ("message", "log", "sentence"),
        [
            ("main: Error (exit code 1)", "a\nerror: the loss is no number\n", "the loss is no number"),
            ("main: Error (exit code 1): error: the loss is no number", None, "the loss is no number"),
            ("main: Error (exit code 1)", None, "main: Error (exit code 1)"),
            (
                "main: OOMKilled (exit code 137)",
                "epoch 3/16\n",
                "main: OOMKilled (exit code 137); raise kubeflow.steps.train.memory, and memory_limit where it is set, "
                "or make batches and images smaller; the last line of its log is: epoch 3/16",
            ),
            (
                "main: Error (exit code 1)",
                "epoch 3/16\nF0821 10:00:00.0 main.go:57] failed to execute component: signal: killed\n",
                "its process was killed (exit status 137), as it is when memory runs out; raise kubeflow.steps.train",
            ),
            (
                "The node was low on resource: memory.",
                None,
                "The node was low on resource: memory; raise kubeflow.steps.train.memory, so that the pod is put where "
                "it has room",
            ),
            (
                "Pod was active on the node longer than the specified deadline",
                "error: the volume does not answer\n",
                "the volume does not answer; Pod was active on the node longer than the specified deadline; "
                "kubeflow.steps.train.timeout_minutes is its deadline",
            ),
            (
                "pod deleted",
                None,
                "pod deleted; somebody deleted it, or its node was removed; kubeflow.steps.train.ret",
            ),
        ],
    )
    def test_a_failure_has_the_pod_s_words_and_the_cluster_s(
        self, api: KfpApi, client: Client, compiled: Compiled, message: str, log: str | None, sentence: str
    ) -> None:
        nodes = _at_train()
        nodes.set("train", "FAILED", ("train/executor",), message="child 'sample-x7k2p-1' failed")
        nodes.set("train/executor", "FAILED", ("train/executor(0)",), message="No more retries left")
        nodes.set("train/executor(0)", "FAILED", message=message)
        api.script = lambda tasks: iter([nodes.run("FAILED")])
        if log is not None:
            api.logs[nodes.pod("train/executor(0)")] = log
        _, run = watched(client, compiled)
        said = watching.why_failed(client, run, compiled.steps)
        assert said.startswith(f"the step 'Train' failed: {sentence}")

    def test_a_pod_that_could_not_be_made_tells_why(self, api: KfpApi, client: Client, compiled: Compiled) -> None:
        nodes = Nodes()
        nodes.set("train-driver", "FAILED", message='pods "a" is forbidden: violates PodSecurity "restricted:latest"')
        api.script = lambda tasks: iter([nodes.run("FAILED")])
        _, run = watched(client, compiled)
        assert "level of pod security refuses" in watching.why_failed(client, run, compiled.steps)

    def test_a_workflow_that_failed_without_a_step_tells_why(
        self, api: KfpApi, client: Client, compiled: Compiled
    ) -> None:
        workflow = Nodes().workflow("invalid spec: templates.x is unknown")
        api.script = lambda tasks: iter([{**Nodes().run("FAILED"), "workflow": workflow}])
        _, run = watched(client, compiled)
        reason = watching.why_failed(client, run, compiled.steps)
        assert reason == "the run ended as FAILED: invalid spec: templates.x is unknown"


class TestSchedule:
    def test_runs_one_at_a_time_without_catching_up_and_sets_no_parameter(
        self, api: KfpApi, client: Client, compiled: Compiled
    ) -> None:
        outcome = keep(client, compiled, DAILY)
        schedule = api.schedules[outcome.schedule_id]
        assert outcome.is_new
        assert not outcome.paused
        assert schedule["trigger"] == {"cron_schedule": {"cron": DAILY}}
        assert schedule["max_concurrency"] == "1"
        assert schedule["no_catchup"] is True
        assert schedule["mode"] == "ENABLE"
        assert not schedule["runtime_config"].get("parameters")
        assert schedule["pipeline_version_reference"]["pipeline_version_id"] in api.versions

    def test_that_has_not_changed_is_left_alone(self, api: KfpApi, client: Client, compiled: Compiled) -> None:
        first = keep(client, compiled, DAILY)
        changes = sum(request.changes for request in api.requests)
        again = keep(client, compiled, DAILY)
        assert again == Outcome(first.schedule_id, False, 0, False, ())
        assert sum(request.changes for request in api.requests) == changes

    @pytest.mark.parametrize("change", ["cron", "text", "experiment", "service account", "pipeline root"])
    def test_that_has_changed_is_replaced(self, api: KfpApi, client: Client, compiled: Compiled, change: str) -> None:
        before = wanted(client, compiled, DAILY)
        reconcile_schedule(client, before)
        other = compiled._replace(text=compiled.text + "# other\n")
        after = {
            "cron": before._replace(cron=HOURLY),
            "text": wanted(client, other, DAILY),
            "experiment": before._replace(work=before.work._replace(experiment_id=client.ensure_experiment("new"))),
            "service account": before._replace(work=before.work._replace(service_account="other")),
            "pipeline root": before._replace(work=before.work._replace(pipeline_root="gs://bucket")),
        }[change]
        outcome = reconcile_schedule(client, after)
        assert outcome.is_new
        assert outcome.replaced == 1
        assert [schedule["recurring_run_id"] for schedule in api.enabled()] == [outcome.schedule_id]
        assert len(api.schedules) == 1
        assert api.most_enabled == 1

    def test_the_run_at_work_outlives_its_schedule(self, api: KfpApi, client: Client, compiled: Compiled) -> None:
        keep(client, compiled, DAILY)
        (run,) = api.tick()
        outcome = keep(client, compiled, HOURLY)
        assert outcome.left_running == (run["run_id"],)
        assert api.orphaned == {run["run_id"]}
        assert not api.deleted

    def test_a_run_of_it_gets_the_macro_of_the_scheduled_time_as_it_is(
        self, api: KfpApi, client: Client, compiled: Compiled
    ) -> None:
        macros = {"run_date": "[[ScheduledTime]]", "data_root": "{{$.pipeline_job_schedule_time_utc}}"}
        before = wanted(client, compiled, DAILY)
        work_with_macros = before.work._replace(parameters={**macros, "overrides": "name=[[CurrentTime]]"})
        reconcile_schedule(client, before._replace(work=work_with_macros))
        (run,) = api.tick()
        given = api.given[run["run_id"]]
        assert {name: given[name] for name in ("run_date", "data_root")} == {
            "run_date": "[[ScheduledTime]]",
            "data_root": "{{$.pipeline_job_schedule_time_utc}}",
        }
        assert re.fullmatch(r"name=\d{14}", given["overrides"])

    @pytest.mark.parametrize("paused", [False, True])
    @pytest.mark.parametrize("changes", range(6))
    def test_a_crash_at_any_point_of_a_replacement_is_mended_by_the_next_call(
        self, api: KfpApi, client: Client, compiled: Compiled, changes: int, paused: bool
    ) -> None:
        before, after = wanted(client, compiled, DAILY), wanted(client, compiled, HOURLY)
        reconcile_schedule(client, before)
        if paused:
            recurring.pause(client, "sample", before.work.version.pipeline_id)
        api.changes_left = changes
        with contextlib.suppress(UserError):
            reconcile_schedule(client, after)
        api.changes_left = float("inf")
        assert api.schedules, "there is always one"
        assert reconcile_schedule(client, after).paused is paused
        (schedule,) = api.schedules.values()
        assert schedule["trigger"]["cron_schedule"]["cron"] == HOURLY
        assert schedule["mode"] == ("DISABLE" if paused else "ENABLE")
        assert api.most_enabled == 1

    @pytest.mark.parametrize("changes", range(5))
    def test_after_a_crash_the_change_may_be_taken_back(
        self, api: KfpApi, client: Client, compiled: Compiled, changes: int
    ) -> None:
        before, after = wanted(client, compiled, DAILY), wanted(client, compiled, HOURLY)
        reconcile_schedule(client, before)
        api.changes_left = changes
        with contextlib.suppress(UserError):
            reconcile_schedule(client, after)
        api.changes_left = float("inf")
        assert not reconcile_schedule(client, before).paused
        (schedule,) = api.schedules.values()
        assert schedule["trigger"]["cron_schedule"]["cron"] == DAILY
        assert schedule["mode"] == "ENABLE"
        assert api.most_enabled == 1

    def test_the_old_one_goes_on_if_the_new_one_cannot_be_enabled(
        self, api: KfpApi, client: Client, compiled: Compiled
    ) -> None:
        old = keep(client, compiled, DAILY).schedule_id

        def refuse(request: Request) -> None:
            enabling = request.path.endswith(":enable") and old not in request.path
            api.answer = (500, {}, "{}") if enabling else None

        api.before = refuse
        with pytest.raises(UserError, match="refused"):
            keep(client, compiled, HOURLY)
        assert [schedule["recurring_run_id"] for schedule in api.enabled()] == [old]
        assert api.most_enabled == 1

    def test_of_two_calls_at_a_time_one_gives_way(self, api: KfpApi, client: Client, compiled: Compiled) -> None:
        keep(client, compiled, DAILY)
        ours, rival = wanted(client, compiled, HOURLY), wanted(client, compiled, "0 30 * * * *")
        once = iter([lambda: _create(make_client(api), rival, enabled=False)])

        def interfere(request: Request) -> None:
            if not request.changes and request.path.endswith("/recurringruns") and len(api.schedules) == 2:
                next(once, lambda: None)()

        api.before = interfere
        with pytest.raises(UserError, match="another call is changing the schedule of sample"):
            reconcile_schedule(client, ours)
        crons = {schedule["trigger"]["cron_schedule"]["cron"] for schedule in api.schedules.values()}
        assert crons == {DAILY, rival.cron}
        assert api.most_enabled == 1

    def test_a_paused_one_stays_paused_when_it_is_replaced(
        self, api: KfpApi, client: Client, compiled: Compiled
    ) -> None:
        pipeline_id = wanted(client, compiled, DAILY).work.version.pipeline_id
        keep(client, compiled, DAILY)
        assert recurring.pause(client, "sample", pipeline_id)
        assert not recurring.pause(client, "sample", pipeline_id)
        assert keep(client, compiled, DAILY).paused
        assert keep(client, compiled, HOURLY).paused
        assert not api.enabled()
        assert recurring.resume(client, "sample", pipeline_id)
        assert not recurring.resume(client, "sample", pipeline_id)
        assert len(api.enabled()) == len(api.schedules) == 1

    @pytest.mark.parametrize("changes", range(1, 5))
    def test_a_pause_after_a_crash_is_one(self, api: KfpApi, client: Client, compiled: Compiled, changes: int) -> None:
        before, after = wanted(client, compiled, DAILY), wanted(client, compiled, HOURLY)
        reconcile_schedule(client, before)
        api.changes_left = changes
        with contextlib.suppress(UserError):
            reconcile_schedule(client, after)
        api.changes_left = float("inf")
        recurring.pause(client, "sample", before.work.version.pipeline_id)
        assert not api.enabled()
        assert reconcile_schedule(client, after).paused
        assert not api.enabled()
        assert len(api.schedules) == 1

    def test_those_of_others_are_left_alone(self, api: KfpApi, client: Client, compiled: Compiled) -> None:
        mine = wanted(client, compiled, DAILY)
        other = client.ensure_version(client.ensure_pipeline("other"), compiled, "abc")
        _create(client, mine._replace(name="by hand"), enabled=True)
        _create(client, mine._replace(work=mine.work._replace(version=other)), enabled=True)
        reconcile_schedule(client, mine)
        reconcile_schedule(client, mine._replace(cron=HOURLY))
        assert len(api.enabled()) == 3

    def test_one_that_is_not_there_cannot_be_paused(self, client: Client) -> None:
        for command in (recurring.pause, recurring.resume):
            with pytest.raises(UserError, match="sample has no schedule; create one with `segpipe schedule CONFIG`"):
                command(client, "sample", client.find_pipeline("sample"))
            with pytest.raises(UserError, match="sample has no schedule"):
                command(client, "sample", client.ensure_pipeline("sample"))


class TestCommands:
    def test_submit_runs_and_watches(self, api: KfpApi) -> None:
        api.script = kfp_api.briefly(kfp_api.going_well)
        done = segpipe(api, "submit", CONFIG, "--param", "epochs=5", "--watch")
        (run,) = api.runs.values()
        assert done.returncode == 0, done.stderr
        assert f"run {api.url}/#/runs/details/{run['run_id']}\n" in done.stdout
        assert done.stdout.splitlines()[-2] == "✓ Train · 64 s"
        assert done.stdout.splitlines()[-1].startswith("succeeded in ")
        assert run["runtime_config"]["parameters"] == {"epochs": 5}
        assert run["service_account"] == "segpipe-pipeline"
        assert not done.stderr
        again = segpipe(api, "submit", CONFIG)
        assert "(already there)" in again.stdout
        assert len(api.versions) == 1
        listed = segpipe(api, "runs", CONFIG)
        assert [line.split()[2] for line in listed.stdout.splitlines()[1:3]] == ["pending", "succeeded"]
        assert re.search(f"epochs=5 +{api.url}/#/runs/details/{run['run_id']}$", listed.stdout, re.MULTILINE)

    def test_submit_fails_when_the_run_does(self, api: KfpApi) -> None:
        api.script = kfp_api.briefly(kfp_api.failing_at("train"))
        api.logs[kfp_api.pod_of("train")] = "error: the loss is no number\n"
        done = segpipe(api, "submit", CONFIG, "--watch")
        assert done.returncode == 1
        assert done.stderr.startswith(f"error: the step 'Train' failed: the loss is no number; see {api.url}/#/runs/")
        assert len(done.stderr.splitlines()) == 1

    def test_ctrl_c_leaves_the_run_at_work_and_says_so(self, api: KfpApi) -> None:
        api.script = lambda tasks: itertools.repeat(Nodes().run("RUNNING"))
        process = subprocess.Popen(
            command("submit", CONFIG, "--watch"),
            env=environment(api),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        deadline = time.monotonic() + 60
        while api.count("GET", ".*/runs/[^/]+") < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
        (run,) = api.runs.values()
        assert process.returncode == 130
        assert f"stopped watching; the run continues: {api.url}/#/runs/details/{run['run_id']}" in said
        assert run["state"] == "RUNNING"

    def test_schedule_pause_and_resume(self, api: KfpApi) -> None:
        every = "kubeflow.schedule.cron=0 0 3 * * *"
        assert segpipe(api, "schedule", CONFIG, "--set", every).stdout.endswith("sample is new: 0 0 3 * * *\n")
        (run,) = api.tick()
        assert "has not changed" in segpipe(api, "schedule", CONFIG, "--set", every).stdout
        assert segpipe(api, "pause", CONFIG).stdout == "the schedule of sample is paused\n"
        replaced = segpipe(api, "schedule", CONFIG, "--set", "kubeflow.schedule.cron=0 0 4 * * *").stdout
        assert "sample is replaced: 0 0 4 * * *; it is paused: `segpipe resume` enables it" in replaced
        assert f"a run of the previous schedule continues: {api.url}/#/runs/details/{run['run_id']}" in replaced
        assert segpipe(api, "resume", CONFIG).stdout == "the schedule of sample starts runs again\n"
        assert len(api.enabled()) == len(api.schedules) == 1

    def test_terminate_takes_an_id_or_an_address(self, api: KfpApi, client: Client, compiled: Compiled) -> None:
        run_id = client.start_run("sample", work(client, compiled))
        done = segpipe(api, "terminate", f"{api.url}/#/runs/details/{run_id}")
        assert done.stdout == f"terminating the run: {api.url}/#/runs/details/{run_id}\n"
        assert api.runs[run_id]["state"] == "CANCELING"
        history = [{"state": "RUNNING"}, {"state": "CANCELING"}, {"state": "FAILED"}]
        api.runs[run_id].update(state="FAILED", state_history=history)
        assert f"the run {run_id} has ended already: TERMINATED" in segpipe(api, "terminate", run_id).stderr
        assert "error: unknown run r-2; `segpipe runs CONFIG` lists them" in segpipe(api, "terminate", "r-2").stderr

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (["submit", "nowhere.yaml"], "cannot read the configuration nowhere.yaml"),
            (["submit", CONFIG, "--param", "epoch=1"], "did you mean 'epochs'?"),
            (["schedule", CONFIG], f"{CONFIG} has no kubeflow.schedule; give it a cron"),
            (["pause", CONFIG], "sample has no schedule"),
            (["runs", CONFIG, "--host", "localhost"], "'localhost' is not an address"),
        ],
    )
    def test_an_error_is_one_sentence_and_starts_nothing(
        self, api: KfpApi, arguments: list[object], sentence: str
    ) -> None:
        done = segpipe(api, *arguments)
        assert done.returncode == 1
        assert done.stderr.startswith("error: ")
        assert sentence in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert not api.runs
        assert not api.versions

    def test_no_runs_are_said_to_be_none(self, api: KfpApi) -> None:
        assert segpipe(api, "runs", CONFIG).stdout == f"sample has no runs; `segpipe submit {CONFIG}` starts one\n"


def wanted(client: Client, compiled: Compiled, cron: str) -> Wanted:
    return Wanted("sample", cron, work(client, compiled))


def keep(client: Client, compiled: Compiled, cron: str) -> Outcome:
    return reconcile_schedule(client, wanted(client, compiled, cron))


def watched(client: Client, compiled: Compiled, force_terminal: bool = False) -> tuple[str, Watched]:
    run_id = client.start_run("sample", work(client, compiled))
    console = Console(file=io.StringIO(), width=100, force_terminal=force_terminal)
    run = watching.watch(client, run_id, compiled.steps, console, sleep=_no_sleep)
    return console.file.getvalue(), run  # type: ignore[attr-defined]


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "tests.support.compiled_pipeline", *map(str, arguments)]


def environment(api: KfpApi) -> dict[str, str]:
    return {"PYTHONPATH": str(Path.cwd()), "PATH": "/usr/local/bin:/usr/bin:/bin", "KFP_ENDPOINT": api.url}


def segpipe(api: KfpApi, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), env=environment(api), capture_output=True, text=True, timeout=60, check=False
    )


def _at_train() -> Nodes:
    """A run whose last step has a pod, which may be tried again."""
    nodes = Nodes()
    nodes.set("train-driver", "SUCCEEDED", ("train",))
    nodes.set("train", "RUNNING", ("train/executor",))
    nodes.set("train/executor", "RUNNING", ("train/executor(0)",))
    return nodes


def _for_a_while(nodes: Nodes) -> Callable[[list[str]], Iterator[Json]]:
    """A run that is as it is for some looks, and then succeeds."""
    return lambda tasks: itertools.chain(itertools.repeat(nodes.run("RUNNING"), 6), [Nodes().run("SUCCEEDED")])


def _held_at(pod: str, message: str) -> Callable[[list[str]], Iterator[Json]]:
    """A run of which a pod is held for some looks."""
    nodes, after = _at_train(), _at_train()
    nodes.set(pod, "PENDING", message=message)
    after.set("train", "SUCCEEDED", ("train/executor",))
    return lambda tasks: itertools.chain(itertools.repeat(nodes.run("RUNNING"), 6), [after.run("SUCCEEDED")])


def _create(client: Client, wanted: Wanted, enabled: bool) -> Any:
    return client.create_schedule(wanted.name, wanted.cron, wanted.work, wanted.description(False), enabled)


def _no_sleep(seconds: float) -> None:
    return None


def _report(api: KfpApi, nodes: Nodes) -> None:
    """Lets the API tell the workflow of the run that `_as_model` makes."""
    run = {"run_id": "r-1", "display_name": "a run", "created_at": kfp_api.NOT_YET, **nodes.run("FAILED")}
    api.workflows["r-1"] = run.pop("workflow")
    api.runs["r-1"] = run


def _as_model(nodes: Nodes) -> Any:
    run = {"run_id": "r-1", "created_at": kfp_api.NOT_YET, **nodes.run("FAILED")}
    run.pop("workflow")
    text = json.dumps(kfp_api.checked("V2beta1Run", run))
    return Api(find_connection("http://host", environment={})).deserialize(
        types.SimpleNamespace(data=text), "V2beta1Run"
    )


def _make_certificate(folder: Path) -> tuple[Path, Path]:
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*request, *names, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return key, certificate


@contextlib.contextmanager
def _https(key: Path, certificate: Path) -> Iterator[str]:
    """A host with its own certificate that says it is well."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *args: object) -> None:
            return None

    server = http.server.ThreadingHTTPServer(("localhost", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield f"https://localhost:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
