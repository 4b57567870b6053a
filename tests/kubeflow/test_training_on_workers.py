"""Two workers, each the real command in a process of its own, train one model for the step that waits for them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tfx.components.trainer.fn_args_utils import FnArgs

from common.errors import UserError
from components.trainer.config import TrainerConfig
from components.trainer.history import HISTORY_FILE, TrainingHistory
from pipeline.kubeflow.config import Volume, Workers
from pipeline.kubeflow.workers.cluster import Cluster
from pipeline.kubeflow.workers.training import train_on_workers
from tests.support.kubernetes_api import NAMESPACE, FakeKubernetes, on_this_machine, running_workers, step_pod
from tests.support.worker_training import arguments_for_two

pytestmark = pytest.mark.slow


@pytest.fixture
def kubernetes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeKubernetes]:
    pod = step_pod()
    monkeypatch.setenv("KFP_POD_NAME", pod["metadata"]["name"])
    server = FakeKubernetes(tmp_path, pod)
    server.command = on_this_machine
    thread = threading.Thread(target=server.serve_forever, args=(0.1,))
    thread.start()
    yield server
    server.close()
    thread.join()


@pytest.fixture
def cluster(kubernetes: FakeKubernetes) -> Cluster:
    from kubernetes import client

    return Cluster(client.ApiClient(client.Configuration(host=kubernetes.url)), NAMESPACE)


@pytest.fixture
def fn_args(tmp_path: Path) -> FnArgs:
    return arguments_for_two(tmp_path / "own", 8, str(tmp_path / "resume"), epochs=2, learning_rate=0.01)


@pytest.fixture
def meeting(tmp_path: Path) -> Workers:
    (tmp_path / "shared").mkdir()
    return Workers(volume=Volume(claim="shared", mount=str(tmp_path / "shared")))


def test_two_workers_train_one_model_for_the_step(
    kubernetes: FakeKubernetes,
    cluster: Cluster,
    meeting: Workers,
    fn_args: FnArgs,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import tensorflow as tf

    train_on_workers(fn_args, meeting, cluster, poll=0.5)
    model = tf.saved_model.load(fn_args.serving_model_dir)
    assert "serving_default" in model.signatures
    history = TrainingHistory.model_validate_json((Path(fn_args.model_run_dir) / HISTORY_FILE).read_text())
    assert len(history.epochs) == 2
    assert list(Path(fn_args.model_run_dir).rglob("events.out.*"))
    said = capsys.readouterr().out
    assert "epoch 1/2" in said and "trained 2 epochs" in said
    second = next(path for path in tmp_path.glob("segpipe-train-*-1-*.log")).read_text()
    assert "trained; the chief writes the model" in second
    assert not list((tmp_path / "shared").iterdir())
    assert [kind for kind, _ in kubernetes.objects] == ["pods"]


def test_a_workers_own_sentence_is_the_steps_error(
    kubernetes: FakeKubernetes, cluster: Cluster, meeting: Workers, fn_args: FnArgs
) -> None:
    settings = TrainerConfig.model_validate_json(fn_args.custom_config["trainer"])
    fn_args.custom_config["trainer"] = settings.model_copy(update={"warm_start": "/nowhere"}).model_dump_json()
    with pytest.raises(
        UserError, match=r"worker \d of 2 failed with exit status 1: trainer.warm_start: /nowhere holds"
    ):
        train_on_workers(fn_args, meeting, cluster, poll=0.5)
    assert not running_workers(kubernetes)
