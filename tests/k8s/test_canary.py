"""What k8s/components/canary promises."""

from __future__ import annotations

import re

import pytest

from tests.support.manifests import K8S, Manifest, built_with
from tests.support.pod_security import violations

NEWEST = "1.37"


@pytest.fixture(scope="module")
def manifests(tmp_path_factory: pytest.TempPathFactory) -> tuple[Manifest, ...]:
    """The on-prem overlay with the component."""
    return built_with("s3", "canary", folder=tmp_path_factory.mktemp("overlay"))


def _one(manifests: tuple[Manifest, ...], kind: str, name: str) -> Manifest:
    (found,) = (m for m in manifests if m["kind"] == kind and m["metadata"]["name"] == name)
    return found


def _pod(manifests: tuple[Manifest, ...]) -> Manifest:
    return _one(manifests, "CronJob", "segpipe-canary")["spec"]["jobTemplate"]["spec"]["template"]


def test_objects_fit_the_schemas_of_kubernetes(manifests: tuple[Manifest, ...]) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    for manifest in manifests:
        kubernetes_validate.validate(manifest, NEWEST, strict=True)


def test_the_pod_is_restricted_and_has_no_rights(manifests: tuple[Manifest, ...]) -> None:
    spec = _pod(manifests)["spec"]
    assert violations(spec) == []
    assert spec["automountServiceAccountToken"] is False
    assert spec["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True
    for role in (m for m in manifests if "RoleBinding" in m["kind"]):
        assert spec["serviceAccountName"] not in [subject["name"] for subject in role["subjects"]]


def test_its_command_is_one_that_segpipe_knows_and_may_write_the_registry(manifests: tuple[Manifest, ...]) -> None:
    from pipeline.cli.canary_command import decide

    (container,) = _pod(manifests)["spec"]["containers"]
    assert container["command"] == ["segpipe", "rollout", "decide"]
    options = decide.make_context("decide", list(container["args"])).params
    assert options["once"]
    registry = {each["name"]: each["value"] for each in container["env"]}["SEGPIPE_REGISTRY"]
    mount = next(each for each in container["volumeMounts"] if each["name"] == "segpipe")
    assert not mount.get("readOnly")
    for place in (registry, options["log"]):
        assert place.startswith(f"{mount['mountPath']}/")


def test_one_job_at_a_time_ends_before_the_next(manifests: tuple[Manifest, ...]) -> None:
    spec = _one(manifests, "CronJob", "segpipe-canary")["spec"]
    assert spec["concurrencyPolicy"] == "Forbid"
    assert spec["schedule"] == "*/5 * * * *"
    assert spec["jobTemplate"]["spec"]["activeDeadlineSeconds"] < 300


def test_its_network_is_closed_but_for_what_it_calls(manifests: tuple[Manifest, ...]) -> None:
    spec = _one(manifests, "NetworkPolicy", "canary")["spec"]
    assert spec["podSelector"]["matchLabels"].items() <= _pod(manifests)["metadata"]["labels"].items()
    assert "ingress" not in spec
    (container,) = _pod(manifests)["spec"]["containers"]
    called = re.findall(r"http://[\w.-]+:(\d+)", " ".join(container["args"]))
    assert {int(port) for port in called} == {port["port"] for rule in spec["egress"] for port in rule["ports"]}


def test_the_groups_of_servers_follow_the_labels_that_a_decision_moves() -> None:
    stable = (K8S / "serving/server/deployment.yaml").read_text()
    canary = (K8S / "serving/canary/kustomization.yaml").read_text()
    assert "--label=stable" in stable
    assert "--label=canary" in canary
