"""The overlays before Kubernetes' own API server: accepted, and the rights and admissions as meant.

`scripts/kubernetes-programs etcd kube-apiserver` builds the programs with Go.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.api_server import ApiServer, is_built, running_api_server
from tests.support.manifests import K8S, OVERLAYS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not is_built(), reason="no API server: scripts/kubernetes-programs etcd kube-apiserver"),
]

# A step's pod as Argo makes it of what Kubeflow's compiler, driver and our platform document say:
# backend/src/v2/compiler/argocompiler/security_context.go, applySecurityContextToExecutorTemplate.
STEP: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "step",
        "namespace": "kubeflow",
        "labels": {"pipelines.kubeflow.org/v2_component": "true"},
    },
    "spec": {
        "serviceAccountName": "segpipe-pipeline",
        "restartPolicy": "Never",
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": "main",
                "image": "segpipe",
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"drop": ["ALL"]},
                    "runAsNonRoot": True,
                },
            }
        ],
    },
}
# manifests/kustomize/base/pipeline/kfp-launcher-configmap.yaml
KUBEFLOWS_LAUNCHER = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "kfp-launcher", "namespace": "kubeflow"},
    "data": {"defaultPipelineRoot": ""},
}
PIPELINE, WORKER, CLIENT = "segpipe-pipeline", "segpipe-worker", "segpipe-client"


@pytest.fixture(scope="module", params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def server(overlay: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """With Kubeflow's settings for its launcher, which are there first, and one overlay on top."""
    folder: Path = tmp_path_factory.mktemp(overlay)
    with running_api_server(folder) as server:
        server.kubectl("create", "namespace", "kubeflow")
        theirs = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "kfp-launcher", "namespace": "kubeflow"},
        }
        server.kubectl("apply", "-f", "-", stdin=json.dumps({**theirs, "data": {"defaultPipelineRoot": ""}}))
        said = server.kubectl("apply", "--server-side", "--force-conflicts", "-k", K8S / "overlays" / overlay)
        assert all(line.endswith("serverside-applied") for line in said.splitlines()), said
        yield server


def test_applying_an_overlay_again_changes_nothing(server: ApiServer, overlay: str) -> None:
    folder = K8S / "overlays" / overlay
    assert server.kubectl("diff", "--server-side", "--force-conflicts", "-k", folder) == ""


def test_the_launchers_settings_are_ours(server: ApiServer) -> None:
    root = server.kubectl("get", "configmap", "kfp-launcher", "-n", "kubeflow", "-o", "jsonpath={.data}")
    assert json.loads(root)["defaultPipelineRoot"].partition("://")[0] in {"minio", "s3", "gs"}


def test_runs_may_do_what_driver_launcher_and_executor_do(server: ApiServer) -> None:
    assert server.may(PIPELINE, "get", "configmaps", "kfp-launcher")
    assert server.may(PIPELINE, "get", "secrets", "mlpipeline-minio-artifact")
    assert server.may(PIPELINE, "get", "pods", "any")
    assert server.may(PIPELINE, "create", "workflowtaskresults.argoproj.io")
    assert server.may(PIPELINE, "patch", "workflowtaskresults.argoproj.io", "any")


def test_runs_may_do_nothing_else(server: ApiServer) -> None:
    for verb, resource, name in (
        ("get", "secrets", "another"),
        ("list", "secrets", ""),
        ("list", "configmaps", ""),
        ("create", "pods", ""),
        ("delete", "pods", "any"),
        ("create", "pods/exec", "any"),
        ("get", "workflows.argoproj.io", "any"),
        ("create", "rolebindings.rbac.authorization.k8s.io", ""),
        ("create", "serviceaccounts/token", PIPELINE),
    ):
        assert not server.may(PIPELINE, verb, resource, name), (verb, resource, name)
    assert not server.may(PIPELINE, "get", "pods", "any", namespace="default")


def test_runs_may_make_jobs_only_with_the_workers_component(server: ApiServer, overlay: str) -> None:
    for verb, resource in (
        ("create", "jobs.batch"),
        ("get", "jobs.batch"),
        ("patch", "jobs.batch"),
        ("delete", "jobs.batch"),
        ("create", "services"),
        ("delete", "services"),
        ("list", "pods"),
        ("get", "pods/log"),
    ):
        assert server.may(PIPELINE, verb, resource) == (overlay != "kind"), (verb, resource)


def test_workers_and_clients_may_do_nothing(server: ApiServer) -> None:
    for account in (WORKER, CLIENT):
        for verb, resource in (("get", "pods"), ("get", "secrets"), ("get", "configmaps"), ("create", "jobs.batch")):
            assert not server.may(account, verb, resource)


def test_a_steps_pod_is_admitted_with_a_request_for_what_it_does_not_say(server: ApiServer) -> None:
    pod = json.loads(server.create(STEP))
    requests = {container["name"]: container["resources"]["requests"] for container in pod["spec"]["containers"]}
    assert requests == {"main": {"cpu": "50m", "memory": "64Mi"}}
    server.kubectl("delete", "pod", "step", "-n", "kubeflow", "--now")


@pytest.mark.parametrize("key", ["runAsNonRoot", "allowPrivilegeEscalation", "capabilities"])
def test_a_pod_that_is_not_restricted_is_refused(server: ApiServer, key: str) -> None:
    pod = copy.deepcopy(STEP)
    del pod["spec"]["containers"][0]["securityContext"][key]
    said = server.create(pod, check=False)
    assert 'violates PodSecurity "restricted:latest"' in said
    assert key in said
