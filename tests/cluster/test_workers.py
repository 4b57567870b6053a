"""An Indexed Job of two Trainer workers on real pods, made by the step's own code with the rights of the overlay."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kubeflow.real_pods import ACCOUNT, NAMESPACE, STEP_IMAGE, apply_kustomization, open_namespace
from tests.support import step_image
from tests.support.cluster import REPOSITORY, Cluster, Json, pod, put_into

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(step_image.why_not()), reason=step_image.why_not() or "can run"),
]
_CODE = (
    "tests/__init__.py",
    "tests/cluster/train_on_workers.py",
    "tests/support/transformed.py",
    "tests/support/worker_training.py",
)
_RIGHTS = """
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: kubeflow
components: [workers]
"""


@pytest.fixture(scope="module")
def volume(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The claim `segpipe`, in a namespace with the overlay for one machine and the component for workers."""
    folder = tmp_path_factory.mktemp("volume")
    for name in _CODE:
        (folder / "code" / name).parent.mkdir(parents=True, exist_ok=True)
        if (REPOSITORY / name).exists():
            shutil.copy(REPOSITORY / name, folder / "code" / name)
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    open_namespace(cluster, {"segpipe": folder})
    cluster.kubectl("-n", NAMESPACE, "delete", "job", "segpipe-sample-data", "--now")
    step_image.load_step_image(cluster)
    rights = tmp_path_factory.mktemp("rights")
    shutil.copytree(REPOSITORY / "k8s" / "components" / "workers", rights / "workers")
    (rights / "kustomization.yaml").write_text(_RIGHTS)
    apply_kustomization(cluster, rights)
    yield folder
    cluster.kubectl("delete", "namespace", NAMESPACE, "--now", "--wait=false")


def step(name: str, epochs: int) -> Json:
    """The Trainer's pod as far as its workers are made of it."""
    mounts = [{"name": "segpipe", "mountPath": "/mnt/segpipe"}, {"name": "scratch", "mountPath": "/tmp"}]
    manifest = pod(
        name,
        "",
        image=STEP_IMAGE,
        command=["python", "-m", "tests.cluster.train_on_workers", str(epochs)],
        env=[
            {"name": "PYTHONPATH", "value": "/mnt/segpipe/code:/src"},
            {"name": "KFP_POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        ],
        resources={"requests": {"cpu": "100m", "memory": "1Gi"}},
        volumeMounts=mounts,
    )
    claim = {"name": "segpipe", "persistentVolumeClaim": {"claimName": "segpipe"}}
    volumes = [claim, {"name": "scratch", "emptyDir": {}}]
    manifest["spec"].update(serviceAccountName=ACCOUNT, volumes=volumes)
    manifest["metadata"]["labels"] = {"pipelines.kubeflow.org/v2_component": "true", "pipeline/runid": "run"}
    return put_into(NAMESPACE, manifest)


def workers(cluster: Cluster) -> list[Json]:
    selector = "app.kubernetes.io/component=worker,segpipe/training"
    return list(json.loads(cluster.kubectl("-n", NAMESPACE, "get", "pods", "-l", selector, "-o", "json"))["items"])


def wait_for_line(cluster: Cluster, name: str, text: str, seconds: float = 400) -> None:
    deadline = time.monotonic() + seconds
    while text not in cluster.logs(name, NAMESPACE):
        assert time.monotonic() < deadline, cluster.logs(name, NAMESPACE)
        time.sleep(1)


def test_two_workers_train_one_model(cluster: Cluster, volume: Path) -> None:
    cluster.apply(step("train", 2))
    ended = cluster.wait_for_pod("train", NAMESPACE, 600)
    said = cluster.logs("train", NAMESPACE)
    assert ended["status"]["phase"] == "Succeeded", said
    assert "trained 2 epochs" in said and "saved_model.pb" in said
    assert not workers(cluster)
    assert not list(volume.glob("segpipe-train-*"))


def test_a_killed_worker_ends_the_step_and_the_next_attempt_goes_on(cluster: Cluster, volume: Path) -> None:
    del volume
    cluster.apply(step("killed", 40))
    wait_for_line(cluster, "killed", "epoch 3/40")
    [second] = [each["metadata"]["name"] for each in workers(cluster) if "-1-" in each["metadata"]["name"]]
    cluster.kubectl("-n", NAMESPACE, "delete", "pod", second, "--grace-period=0", "--force")
    ended = cluster.wait_for_pod("killed", NAMESPACE, 200)
    assert ended["status"]["phase"] == "Failed"
    last = cluster.logs("killed", NAMESPACE).rstrip().splitlines()[-1]
    assert last.startswith("error: worker 1 of 2"), last
    cluster.apply(step("again", 40))
    wait_for_line(cluster, "again", "resuming at epoch")
    cluster.kubectl("-n", NAMESPACE, "delete", "pod", "again", "--now")
