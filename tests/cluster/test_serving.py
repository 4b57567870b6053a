"""The endpoint of k8s/serving on real pods: nothing is lost while a version changes or a pod goes.

TensorFlow Serving's image cannot be had without a registry of images, so the embedded server takes its place in the
pods; all else (probes, the synchronisation beside it, volumes, security, Services) is as the overlay has it.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from common.compatibility import skip_autograph_for_keras
from registry.store import Registry
from tests.kubeflow.real_pods import NAMESPACE, STEP_IMAGE, open_namespace
from tests.support import step_image
from tests.support.cluster import Cluster, Json
from tests.support.manifests import built
from tests.support.serving import MODEL, Address, classes_in, make_registry, picture

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(step_image.why_not()), reason=step_image.why_not() or "can run"),
]
_REGISTRY = "/mnt/segpipe/registry"
_PICTURE = picture()
GROUPS = {"stable": "segpipe-serving", "canary": "segpipe-serving-canary"}


class Load(threading.Thread):
    """An app that asks again and again, on a new connection each time; `answers` counts what it was told."""

    def __init__(self, address: Address, path: str = "") -> None:
        super().__init__(daemon=True)
        self.address, self.path = address, path
        self.answers: Counter[Any] = Counter()
        self.ending = threading.Event()

    def run(self) -> None:
        while not self.ending.is_set():
            self.answers[self._ask()] += 1

    def _ask(self) -> Any:
        try:
            status, answer = self.address.predict_json(_PICTURE, path=self.path)
        except OSError as error:
            return str(error)
        return class_of(answer) if status == 200 else f"{status}: {answer}"

    def __enter__(self) -> Load:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ending.set()
        self.join(60)


def class_of(answer: Json) -> int:
    """The class of an answer whose mask has one."""
    [prediction] = answer["predictions"]
    (found,) = classes_in(base64.b64decode(prediction["mask_bytes"]["b64"]))
    return found


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """Versions 1, 2 and 3 find the classes of these numbers; version 1 is served."""
    skip_autograph_for_keras()
    return make_registry(tmp_path_factory.mktemp("volume") / "registry", labels=(1, 2, 3))


@pytest.fixture(scope="module")
def addresses(cluster: Cluster, registry: Registry) -> Iterator[dict[str, Address]]:
    """The Services of the two groups, each with two pods that are ready."""
    folder = Path(registry.uri).parent
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)
    open_namespace(cluster, {"segpipe": folder})
    cluster.kubectl("-n", NAMESPACE, "delete", "job", "segpipe-sample-data", "--now")
    step_image.load_step_image(cluster)
    said = cluster.apply(*(_fitted(manifest) for manifest in built("serving/overlays/volume")))
    assert "Warning" not in said, said
    for name in GROUPS.values():
        cluster.kubectl("-n", NAMESPACE, "rollout", "status", f"deployment/{name}", "--timeout=300s", seconds=320)
    yield {group: _address(cluster, name) for group, name in GROUPS.items()}
    cluster.kubectl("delete", "namespace", NAMESPACE, "--now", "--wait=false")


def _fitted(manifest: Json) -> Json:
    """The object with the embedded server, two pods a group, and requests that fit a node of two cores."""
    if manifest["kind"] != "Deployment":
        return manifest
    pod = manifest["spec"]["template"]["spec"]
    for container in pod["initContainers"]:
        container["env"] = [{"name": "SEGPIPE_REGISTRY", "value": _REGISTRY}]
        container["resources"]["requests"] = {"cpu": "20m", "memory": "128Mi"}
    [server] = pod["containers"]
    server["image"] = STEP_IMAGE
    server["command"] = [
        "segpipe",
        "serve",
        "--engine=embedded",
        "--host=0.0.0.0",
        f"--registry={_REGISTRY}",
        "--poll=1",
    ]
    del server["args"]
    server["volumeMounts"].append({"name": "segpipe", "mountPath": "/mnt/segpipe", "readOnly": True})
    server["resources"]["requests"] = {"cpu": "100m", "memory": "512Mi"}
    for probe in ("startupProbe", "readinessProbe"):  # The embedded server has the label `canary` while there is one.
        server[probe]["httpGet"]["path"] = f"/v1/models/{MODEL}/labels/stable/metadata"
    manifest["spec"]["replicas"] = 2
    return manifest


def _address(cluster: Cluster, service: str) -> Address:
    address = Address()
    at = cluster.get("service", service, NAMESPACE)["spec"]["clusterIP"]
    address.http, address.grpc = f"http://{at}:8501", f"{at}:8500"
    return address


def pods(cluster: Cluster, group: str) -> list[Json]:
    selector = f"app.kubernetes.io/component=serving,app.kubernetes.io/instance={group}"
    return list(json.loads(cluster.kubectl("-n", NAMESPACE, "get", "pods", "-l", selector, "-o", "json"))["items"])


def until(load: Load, answer: int, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not load.answers[answer]:
        assert time.monotonic() < deadline, load.answers
        time.sleep(0.5)


def until_all_say(address: Address, status: int, seconds: float = 90) -> None:
    """Returns once each pod of a group answers so to a request for the canary."""
    deadline, alike = time.monotonic() + seconds, 0
    while alike < 20:  # By then both pods have been asked.
        said, answer = address.predict_json(_PICTURE, path="/labels/canary")
        alike = alike + 1 if said == status else 0
        assert time.monotonic() < deadline, answer


def test_both_groups_answer_and_are_admitted_as_restricted(cluster: Cluster, addresses: dict[str, Address]) -> None:
    for group, address in addresses.items():
        status, answer = address.predict_json(_PICTURE)
        assert (status, class_of(answer)) == (200, 1)
        assert len(pods(cluster, group)) == 2


def test_a_new_version_is_served_without_a_lost_request(addresses: dict[str, Address], registry: Registry) -> None:
    with Load(addresses["stable"]) as load:
        until(load, 1)
        registry.serve(2)
        until(load, 2)
        time.sleep(10)
        load.answers.clear()
        time.sleep(5)
        assert set(load.answers) == {2}
    assert set(load.answers) == {2}


def test_a_deleted_pod_loses_no_request(cluster: Cluster, addresses: dict[str, Address]) -> None:
    victim = pods(cluster, "stable")[0]["metadata"]["name"]
    with Load(addresses["stable"]) as load:
        until(load, 2)
        cluster.kubectl("-n", NAMESPACE, "delete", "pod", victim, "--wait=false")
        cluster.wait("pod", victim, NAMESPACE, lambda pod: pod["metadata"].get("deletionTimestamp"))
        deadline = time.monotonic() + 180
        while cluster.get("pod", victim, NAMESPACE):
            assert time.monotonic() < deadline, "the pod did not end"
            time.sleep(1)
    assert set(load.answers) == {2} and load.answers[2] > 100, load.answers


def test_a_canary_is_asked_for_by_its_label_alone(addresses: dict[str, Address], registry: Registry) -> None:
    """The embedded server follows the registry itself: both groups know the label, while there is a canary."""
    with Load(addresses["stable"]) as stable, Load(addresses["canary"]) as beside:
        registry.start_canary(3, 10)
        until_all_say(addresses["canary"], 200)
        with Load(addresses["canary"], "/labels/canary") as canary:
            time.sleep(5)
        registry.abort_canary()
        until_all_say(addresses["canary"], 400)
    assert set(canary.answers) == {3} and set(stable.answers) == {2} == set(beside.answers)


def test_the_synchronisation_beside_the_server_holds_what_is_served(
    cluster: Cluster, addresses: dict[str, Address], registry: Registry
) -> None:
    del addresses, registry
    for pod in pods(cluster, "stable"):
        name = pod["metadata"]["name"]
        listed = cluster.kubectl("-n", NAMESPACE, "exec", name, "-c", "model-server", "--", "ls", f"/models/{MODEL}")
        assert "2" in listed.split()
