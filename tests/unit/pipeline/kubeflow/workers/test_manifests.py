"""The Job and the Service, held against Kubernetes' own models."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
from kubernetes import client

from pipeline.kubeflow.config import Accelerator
from pipeline.kubeflow.workers.manifests import Training, worker_job, worker_service
from tests.support.kubernetes_api import step_pod

TRAINING = Training("segpipe-train-0123456789abcdef", 3, ["segpipe-step", "worker"], "segpipe-worker")


def read_as(manifest: dict[str, Any], model: str) -> dict[str, Any]:
    """What is left of `manifest` once it has been read as an object of the API: all, if all is known there."""
    with mock.patch.dict("os.environ"):
        api = client.ApiClient(client.Configuration(host="http://localhost"))
        return api.sanitize_for_serialization(api._ApiClient__deserialize(manifest, model))  # type: ignore[attr-defined]


@pytest.fixture
def pod_spec() -> dict[str, Any]:
    return worker_job(step_pod(), TRAINING)["spec"]["template"]["spec"]


@pytest.fixture
def container(pod_spec: dict[str, Any]) -> dict[str, Any]:
    [container] = pod_spec["containers"]
    return container


def test_all_that_is_written_is_known_to_kubernetes() -> None:
    accelerated = TRAINING._replace(accelerator=Accelerator(count=2))
    for training in (TRAINING, accelerated):
        job, service = worker_job(step_pod(), training), worker_service(step_pod(), training)
        assert read_as(job, "V1Job") == job
        assert read_as(service, "V1Service") == service


@pytest.mark.parametrize("release", ["1.29", "1.35"])
def test_they_keep_the_schemas_of_kubernetes(release: str) -> None:
    validator = pytest.importorskip("kubernetes_validate")
    for manifest in (worker_job(step_pod(), TRAINING), worker_service(step_pod(), TRAINING)):
        validator.validate(manifest, release, strict=True)


def test_all_workers_run_at_once_and_the_first_failure_ends_them() -> None:
    spec = worker_job(step_pod(), TRAINING)["spec"]
    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 3, 3)
    assert (spec["backoffLimit"], spec["template"]["spec"]["restartPolicy"]) == (0, "Never")
    assert spec["activeDeadlineSeconds"] and spec["ttlSecondsAfterFinished"]


def test_both_go_with_the_pod_of_the_step() -> None:
    for manifest in (worker_job(step_pod(), TRAINING), worker_service(step_pod(), TRAINING)):
        [owner] = manifest["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["name"]) == ("Pod", "tiny-x7k2p-impl-1")
        assert owner["uid"] == step_pod()["metadata"]["uid"]


def test_the_service_names_the_pods_before_they_are_ready() -> None:
    service = worker_service(step_pod(), TRAINING)["spec"]
    template = worker_job(step_pod(), TRAINING)["spec"]["template"]
    assert service["clusterIP"] == "None" and service["publishNotReadyAddresses"]
    assert service["selector"].items() <= template["metadata"]["labels"].items()
    assert template["spec"]["subdomain"] == TRAINING.name
    assert TRAINING.addresses[2] == f"{TRAINING.name}-2.{TRAINING.name}:2222"
    assert all(len(f"{TRAINING.name}-255") <= 63 for _ in TRAINING.addresses)


def test_they_have_what_the_configuration_gives_the_step(pod_spec: dict[str, Any], container: dict[str, Any]) -> None:
    own = step_pod()["spec"]
    for key in ("nodeSelector", "tolerations", "imagePullSecrets", "securityContext", "schedulerName"):
        assert pod_spec[key] == own[key]
    main = own["containers"][1]
    for key in ("image", "resources", "securityContext"):
        assert container[key] == main[key]
    assert [entry["name"] for entry in container["env"]] == ["NCCL_DEBUG", "TOKEN"]
    assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/tmp", "/dev/shm", "/mnt/shared"}


def test_they_have_nothing_of_the_launcher_and_of_argo(pod_spec: dict[str, Any], container: dict[str, Any]) -> None:
    assert {volume["name"] for volume in pod_spec["volumes"]} == {"scratch", "shm", "shared"}
    assert {mount["name"] for mount in container["volumeMounts"]} <= {volume["name"] for volume in pod_spec["volumes"]}
    for key in ("initContainers", "nodeName", "activeDeadlineSeconds", "priority"):
        assert key not in pod_spec
    assert container["command"] == ["segpipe-step", "worker"]
    assert not container.get("args") and not container["envFrom"]


def test_they_have_no_right_to_ask_kubernetes(pod_spec: dict[str, Any]) -> None:
    assert pod_spec["serviceAccountName"] == "segpipe-worker"
    assert pod_spec["automountServiceAccountToken"] is False


def test_devices_of_their_own_replace_those_of_the_step() -> None:
    job = worker_job(step_pod(), TRAINING._replace(accelerator=Accelerator(count=4)))
    resources = job["spec"]["template"]["spec"]["containers"][0]["resources"]
    assert resources["limits"] == {"cpu": "4", "memory": "16Gi", "nvidia.com/gpu": "4"}
    assert resources["requests"] == resources["limits"]


def test_their_labels_are_those_that_the_network_policies_select() -> None:
    labels = worker_job(step_pod(), TRAINING)["spec"]["template"]["metadata"]["labels"]
    assert labels["app.kubernetes.io/name"] == "segpipe"
    assert labels["app.kubernetes.io/component"] == "worker"
    assert labels["pipeline/runid"] == "run-1"
    assert "workflows.argoproj.io/workflow" not in labels
