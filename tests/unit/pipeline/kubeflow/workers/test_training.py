"""The step that waits for several workers: what it makes, brings, takes back, says and removes.

The workers are processes that do no more than the test is about; those of `test_training_on_workers.py` really train.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tfx.components.trainer.fn_args_utils import FnArgs

from common.errors import UserError
from components.trainer.config import TrainerConfig
from pipeline.config.run_config import RunConfig
from pipeline.kubeflow.config import Volume, Workers
from pipeline.kubeflow.workers.cluster import Cluster
from pipeline.kubeflow.workers.manifests import Training, worker_job
from pipeline.kubeflow.workers.training import WORKERS_VARIABLE, hand_over, run_fn, train_on_workers, with_workers
from pipeline.kubeflow.workers.watch import _Lost, _why_failed, watch_workers
from tests.support.kubernetes_api import FakeKubernetes, running_workers

POLL = 0.05
WELL = """
from pathlib import Path
out = Path(spec["serving_model_dir"])
if index == 0:
    out.mkdir(parents=True)
    (out / "saved_model.pb").write_text(Path(spec["train_files"][0].replace("*", "part-0.gz")).read_text())
    (Path(spec["model_run_dir"]) / "history.json").write_text(json.dumps(spec["custom_config"]))
    print("epoch 1/1"); print("trained")
"""


def stand_in(program: str) -> Callable[[list[str], int], list[str]]:
    """A worker that runs `program`, which knows its `index`, the `spec` and `json`."""

    def command(own: list[str], index: int) -> list[str]:
        assert own[:3] == ["segpipe-step", "worker", "--spec"]
        head = f"import json, sys, time; index = {index}; spec = json.load(open({own[3]!r}))\n"
        return [sys.executable, "-S", "-c", head + program]

    return command


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    folder = tmp_path / "shared"
    folder.mkdir()
    return folder


@pytest.fixture
def meeting(shared: Path) -> Workers:
    return Workers(volume=Volume(claim="shared", mount=str(shared)))


@pytest.fixture
def fn_args(tmp_path: Path) -> FnArgs:
    for split in ("train", "eval"):
        (tmp_path / split).mkdir()
        (tmp_path / split / "part-0.gz").write_text(f"records of {split}")
    for folder in ("graph/transform_fn", "base"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "saved_model.pb").write_text(folder)
    return FnArgs(
        train_files=[str(tmp_path / "train/*")],
        eval_files=[str(tmp_path / "eval/*")],
        transform_output=str(tmp_path / "graph"),
        base_model=str(tmp_path / "base"),
        serving_model_dir=str(tmp_path / "out/model/Format-Serving"),
        model_run_dir=str(tmp_path / "out/run"),
        custom_config={
            "trainer": TrainerConfig(workers=2).model_dump_json(),
            "resume_root": str(tmp_path / "resume"),
            "seed": 1,
        },
    )


def test_inputs_are_brought_and_outputs_taken_back(
    kubernetes: FakeKubernetes, cluster: Cluster, meeting: Workers, fn_args: FnArgs, capsys: pytest.CaptureFixture[str]
) -> None:
    kubernetes.command = stand_in(WELL)
    train_on_workers(fn_args, meeting, cluster, POLL)
    assert (Path(fn_args.serving_model_dir) / "saved_model.pb").read_text() == "records of train"
    assert json.loads((Path(fn_args.model_run_dir) / "history.json").read_text())["seed"] == 1
    assert capsys.readouterr().out.splitlines() == ["epoch 1/1", "trained"]


def test_nothing_is_left_behind(
    kubernetes: FakeKubernetes, cluster: Cluster, meeting: Workers, fn_args: FnArgs, shared: Path
) -> None:
    kubernetes.command = stand_in(WELL)
    train_on_workers(fn_args, meeting, cluster, POLL)
    assert [kind for kind, _ in kubernetes.objects] == ["pods"]  # The step's own.
    assert {kind for kind, _ in kubernetes.ended} == {"jobs", "services", "pods"}
    assert not list(shared.iterdir())


def test_the_first_worker_that_fails_is_named_with_its_last_word(
    kubernetes: FakeKubernetes, cluster: Cluster, meeting: Workers, fn_args: FnArgs, shared: Path
) -> None:
    kubernetes.command = stand_in(
        "print('at work\\nerror: out of luck\\n') or sys.exit(3) if index else time.sleep(60)"
    )
    with pytest.raises(UserError, match=r"^worker 1 of 2 failed with exit status 3: out of luck$"):
        train_on_workers(fn_args, meeting, cluster, POLL)
    assert [kind for kind, _ in kubernetes.objects] == ["pods"]
    assert not running_workers(kubernetes)
    assert not list(shared.iterdir())
    assert not Path(fn_args.serving_model_dir).exists()


def test_a_worker_that_is_deleted_is_named(
    kubernetes: FakeKubernetes, cluster: Cluster, meeting: Workers, fn_args: FnArgs
) -> None:
    def lose_one_soon(own: list[str], index: int) -> list[str]:
        if index:
            threading.Timer(1, lambda: kubernetes.delete("pods", f"{_job(kubernetes)}-1-abcde")).start()
        return stand_in("time.sleep(60)")(own, index)

    kubernetes.command = lose_one_soon
    with pytest.raises(UserError, match=r"^worker 1 of 2 was deleted before its end: its node was drained"):
        train_on_workers(fn_args, meeting, cluster, POLL)


def test_a_deleted_worker_is_named_and_not_the_one_that_is_ended_for_it() -> None:
    """As a real cluster showed it: TensorFlow catches SIGTERM, so the chief's exit status is that of SIGKILL."""
    chief, lost, ended = _pod(0), _pod(1), {"exitCode": 137, "message": "SIGTERM caught", "finishedAt": "2026-01-01"}
    seen = _Lost()
    seen.look([chief, lost])
    chief["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:01Z"
    chief["status"] = {"phase": "Failed", "containerStatuses": [{"state": {"terminated": ended}}]}
    seen.look([chief])
    said = _why_failed([chief], Training("t", 2, [], "a"), "BackoffLimitExceeded", seen.first)
    assert said.startswith("worker 1 of 2 was deleted before its end")


def _pod(index: int) -> dict[str, Any]:
    annotations = {"batch.kubernetes.io/job-completion-index": str(index)}
    return {"metadata": {"annotations": annotations}, "status": {"phase": "Running"}}


def _job(kubernetes: FakeKubernetes) -> str:
    [name] = [name for kind, name in kubernetes.objects if kind == "jobs"]
    return name


def test_a_step_that_is_stopped_stops_the_workers(
    kubernetes: FakeKubernetes, cluster: Cluster, meeting: Workers, fn_args: FnArgs, shared: Path
) -> None:
    class Terminated(BaseException):
        """What the command of the step makes of the signal."""

    def terminate(*_: object) -> None:
        raise Terminated

    kubernetes.command = stand_in(f"import os; index or os.kill({os.getpid()}, 15); time.sleep(60)")
    before = signal.signal(signal.SIGTERM, terminate)
    try:
        with pytest.raises(Terminated):
            train_on_workers(fn_args, meeting, cluster, POLL)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert not running_workers(kubernetes)
    assert [kind for kind, _ in kubernetes.objects] == ["pods"]
    assert not list(shared.iterdir())


def test_what_a_killed_attempt_has_left_is_removed_first(
    kubernetes: FakeKubernetes, cluster: Cluster, meeting: Workers, fn_args: FnArgs, shared: Path
) -> None:
    def start_and_lose(own: list[str], index: int) -> list[str]:
        kubernetes.answers = [("GET jobs", 404), ("DELETE jobs", 403), ("DELETE services", 403)]
        return stand_in("time.sleep(60)")(own, index)

    kubernetes.command = start_and_lose
    with pytest.raises(UserError, match=r"not found|forbidden"):
        train_on_workers(fn_args, meeting, cluster, POLL)
    assert running_workers(kubernetes)
    before = set(kubernetes.processes.values())
    kubernetes.answers = []
    kubernetes.command = stand_in(WELL)
    train_on_workers(fn_args, meeting, cluster, POLL)
    assert all(process.poll() is not None for process in before)
    assert not list(shared.iterdir())


def test_a_step_that_lacks_a_right_says_which(
    kubernetes: FakeKubernetes, cluster: Cluster, meeting: Workers, fn_args: FnArgs, shared: Path
) -> None:
    for request, said in (
        ("GET pods", "get pod tiny-x7k2p-impl-1 in runs"),
        ("POST jobs", "create jobs in runs"),
        ("POST services", "create services in runs"),
        ("PATCH jobs", "patch job segpipe-train-"),
    ):
        kubernetes.command = stand_in("time.sleep(60)")
        kubernetes.answers = [(request, 403)]
        with pytest.raises(UserError, match=f"did not let this step {said}.*no such right"):
            train_on_workers(fn_args, meeting, cluster, POLL)
        assert not running_workers(kubernetes)
        assert not list(shared.iterdir())


def test_an_api_server_that_falters_is_asked_again(
    kubernetes: FakeKubernetes, cluster: Cluster, meeting: Workers, fn_args: FnArgs
) -> None:
    kubernetes.command = stand_in(WELL)
    kubernetes.answers = [("POST jobs", 500), ("GET jobs", 503), ("GET pods", 429), ("DELETE jobs", 500)]
    train_on_workers(fn_args, meeting, cluster, POLL)
    assert not kubernetes.answers


def test_workers_that_find_no_node_are_not_waited_for_for_ever(
    kubernetes: FakeKubernetes, cluster: Cluster, meeting: Workers, fn_args: FnArgs
) -> None:
    kubernetes.command = lambda own, index: None if index else [sys.executable, "-c", "import time; time.sleep(60)"]
    training = Training("t", 2, ["segpipe-step"], "segpipe-worker")
    cluster.create_job(worker_job(cluster.own_pod(), training))
    with pytest.raises(UserError, match=r"only 1 of 2 workers started in .*: 0/3 nodes are available: 3 Insufficient"):
        watch_workers(cluster, training, POLL, patience=0.2)


def test_their_time_is_prolonged_while_the_step_waits(
    kubernetes: FakeKubernetes, cluster: Cluster, meeting: Workers, fn_args: FnArgs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.kubeflow.workers.watch.LEASE_SECONDS", 3)
    kubernetes.command = stand_in("time.sleep(3)\n" + WELL)
    train_on_workers(fn_args, meeting, cluster, POLL)
    deadlines = [patch["spec"]["activeDeadlineSeconds"] for patch in kubernetes.patches]
    assert deadlines[0] == 3
    assert len(deadlines) > 2 and deadlines == sorted(deadlines)


def test_where_a_killed_training_finds_itself_all_workers_can_read(
    kubernetes: FakeKubernetes, cluster: Cluster, meeting: Workers, fn_args: FnArgs, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubernetes.command = stand_in(WELL)
    monkeypatch.setattr("tempfile.gettempdir", lambda: "/scratch")
    for given, used in (("/mnt/shared/resume", "/mnt/shared/resume"), ("/scratch/resume", "segpipe-train-")):
        fn_args.custom_config["resume_root"] = given
        train_on_workers(fn_args, meeting, cluster, POLL)
        history = json.loads((Path(fn_args.model_run_dir) / "history.json").read_text())
        assert used in history["resume_root"]


def test_a_base_model_that_is_not_there_is_none(
    kubernetes: FakeKubernetes, cluster: Cluster, meeting: Workers, fn_args: FnArgs
) -> None:
    fn_args.base_model = "nowhere"
    kubernetes.command = stand_in("assert spec['base_model'] is None\n" + WELL)
    train_on_workers(fn_args, meeting, cluster, POLL)


def test_a_volume_that_is_not_mounted_is_told(cluster: Cluster, fn_args: FnArgs) -> None:
    with pytest.raises(UserError, match="is not mounted at /nowhere/at/all"):
        train_on_workers(fn_args, Workers(volume=Volume(claim="a", mount="/nowhere/at/all")), cluster)


def test_outside_of_a_pod_there_are_no_workers(
    fn_args: FnArgs, meeting: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(WORKERS_VARIABLE, meeting.model_dump_json())
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(UserError, match="this process is not in a pod"):
        run_fn(fn_args)


@pytest.mark.parametrize(
    ("workers", "name"), [(1, "components.trainer.run.run_fn"), (2, "pipeline.kubeflow.workers.training.run_fn")]
)
def test_only_a_training_for_several_is_handed_over(workers: int, name: str) -> None:
    parameters = {
        "run_fn": "components.trainer.run.run_fn",
        "custom_config": json.dumps({"trainer": TrainerConfig(workers=workers).model_dump_json()}),
        "train_args": "{}",
    }
    assert hand_over(parameters) == {**parameters, "run_fn": name}
    assert hand_over({"seed": 1}) == {"seed": 1}


def config(**changes: Any) -> RunConfig:
    data = {"source": {"type": "folders", "root": "data"}, "classes": ["background", "cell"]}
    return RunConfig.model_validate({"name": "cells", "data": data, **changes})


def test_the_step_gets_the_volume_and_is_told_where_the_workers_meet() -> None:
    volume = {"claim": "shared", "mount": "/mnt/shared"}
    steps = {"default": {"env": {"A": "1"}, "cpu": "2"}}
    given = config(trainer={"workers": 2}, kubeflow={"workers": {"volume": volume}, "steps": steps})
    options = with_workers(given).kubeflow.options_of("trainer")
    assert options.cpu == "2"
    assert options.env is not None and options.env["A"] == "1"
    assert Workers.model_validate_json(options.env[WORKERS_VARIABLE]).volume == Volume.model_validate(volume)
    assert options.volumes == (Volume.model_validate(volume),)
    others = with_workers(given).kubeflow.options_of("transform")
    assert (others.cpu, others.env, others.volumes) == ("2", {"A": "1"}, None)


def test_one_worker_changes_nothing_and_several_need_a_place_to_meet() -> None:
    assert with_workers(config()) == config()
    with pytest.raises(UserError, match=r"give kubeflow\.workers a volume"):
        with_workers(config(trainer={"workers": 2}))
    bucket = config(trainer={"workers": 2}, kubeflow={"workers": {"bucket": "gs://b/shared"}})
    assert with_workers(bucket).kubeflow.options_of("trainer").volumes is None


def test_a_batch_goes_round_the_workers() -> None:
    with pytest.raises(ValueError, match=r"batch_size \(2\) is smaller than the number of workers \(4\)"):
        TrainerConfig(workers=4, batch_size=2)
