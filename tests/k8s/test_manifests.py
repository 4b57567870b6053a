"""What each overlay of k8s/ promises."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from pipeline.kubeflow.config import KubeflowConfig, Volume, Workers
from tests.support.manifests import K8S, OVERLAYS, Manifest, built, named, of_kind, pod_specs
from tests.support.pod_security import violations

DEFAULTS = KubeflowConfig()
KUBERNETES = ("1.31", "1.34", "1.37")
# Of the Go structs in kubeflow/pipelines, backend/src/v2/config/s3.go and gcs.go.
PROVIDER_KEYS = {"endpoint", "credentials", "region", "disableSSL", "forcePathStyle", "maxRetries"}
SECRET_KEYS = {"s3": {"secretName", "accessKeyKey", "secretKeyKey"}, "gs": {"secretName", "tokenKey"}}
SECRET_KEYS["minio"] = SECRET_KEYS["s3"]
POWERFUL = {"pods/exec", "pods/attach", "serviceaccounts/token", "roles", "rolebindings"}

each_overlay = pytest.mark.parametrize("overlay", OVERLAYS)


def _rules(overlay: str) -> list[dict[str, Any]]:
    return [rule for role in of_kind(overlay, "Role") for rule in role["rules"]]


def _providers(overlay: str) -> dict[str, Any]:
    return yaml.safe_load(named(overlay, "ConfigMap", "kfp-launcher")["data"]["providers"])


# ---- Kubernetes ------------------------------------------------------------------------------------------------------


@each_overlay
@pytest.mark.parametrize("version", KUBERNETES)
def test_every_object_fits_the_schemas_of_kubernetes(overlay: str, version: str) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    for manifest in built(overlay):
        kubernetes_validate.validate(manifest, version, strict=True)


def test_the_schemas_would_tell_a_wrong_key() -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    wrong = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a"}, "automountToken": False}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, KUBERNETES[-1], strict=True)


@each_overlay
def test_no_object_is_there_twice(overlay: str) -> None:
    names = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in built(overlay)]
    assert len(names) == len(set(names))


@each_overlay
def test_the_schedule_is_the_recurring_run_alone(overlay: str) -> None:
    assert not of_kind(overlay, "CronJob")


# ---- pods ------------------------------------------------------------------------------------------------------------


@each_overlay
def test_the_namespace_admits_restricted_pods_only(overlay: str) -> None:
    (namespace,) = of_kind(overlay, "Namespace")
    for mode in ("enforce", "audit", "warn"):
        assert namespace["metadata"]["labels"][f"pod-security.kubernetes.io/{mode}"] == "restricted"


@each_overlay
def test_every_pod_is_restricted_with_a_read_only_root_and_limited_scratch(overlay: str) -> None:
    pods = dict(pod_specs(overlay))
    assert pods, "the overlay has a job for the volume"
    for name, pod in pods.items():
        assert violations(pod) == [], name
        assert pod["automountServiceAccountToken"] is False, name
        for volume in pod["volumes"]:
            assert "emptyDir" not in volume or volume["emptyDir"]["sizeLimit"]
        for container in pod["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True, name
            assert container["resources"]["limits"]["memory"], name


# ---- rights ----------------------------------------------------------------------------------------------------------


@each_overlay
def test_rights_end_at_the_namespace(overlay: str) -> None:
    assert not of_kind(overlay, "ClusterRole")
    assert not of_kind(overlay, "ClusterRoleBinding")
    for binding in of_kind(overlay, "RoleBinding"):
        assert binding["roleRef"]["kind"] == "Role"
        assert named(overlay, "Role", binding["roleRef"]["name"])
        for subject in binding["subjects"]:
            assert subject["kind"] == "ServiceAccount"
            assert named(overlay, "ServiceAccount", subject["name"])


@each_overlay
def test_no_right_is_a_wildcard_or_leads_to_more_rights(overlay: str) -> None:
    for rule in _rules(overlay):
        everything = {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}
        assert not everything & {"*", "escalate", "bind", "impersonate"}
        assert not set(rule["resources"]) & {
            "pods/exec",
            "pods/attach",
            "serviceaccounts/token",
            "roles",
            "rolebindings",
        }


@each_overlay
def test_secrets_and_settings_are_read_by_name_only(overlay: str) -> None:
    for rule in _rules(overlay):
        if {"secrets", "configmaps"} & set(rule["resources"]):
            assert rule["verbs"] == ["get"]
            assert rule["resourceNames"]


@each_overlay
def test_workers_and_clients_have_no_rights(overlay: str) -> None:
    subjects = {subject["name"] for binding in of_kind(overlay, "RoleBinding") for subject in binding["subjects"]}
    assert subjects == {DEFAULTS.service_account}


def test_jobs_may_be_made_only_where_the_workers_component_is() -> None:
    may = {overlay: any("jobs" in rule["resources"] for rule in _rules(overlay)) for overlay in OVERLAYS}
    assert may == {"gke": True, "kind": False, "on-prem": True}


# ---- secrets ---------------------------------------------------------------------------------------------------------


@each_overlay
def test_no_secret_is_in_the_repository(overlay: str) -> None:
    assert not of_kind(overlay, "Secret")
    for manifest in built(overlay):
        assert not re.search(r"(?i)(password|private_key|BEGIN [A-Z ]+KEY|AKIA[0-9A-Z]{16})", json.dumps(manifest))


@each_overlay
def test_no_container_gets_a_secret_as_a_plain_value(overlay: str) -> None:
    for name, pod in pod_specs(overlay):
        for container in pod["containers"]:
            for variable in container.get("env", []):
                assert "valueFrom" in variable or not re.search("(?i)key|token|secret", variable["name"]), name


@each_overlay
@pytest.mark.parametrize(
    ("group", "resource", "verbs"),
    [
        ("argoproj.io", "workflowtaskresults", {"create", "patch"}),
        # Releases without ML Metadata: pipeline-runner-role.yaml of kubeflow/pipelines.
        ("pipelines.kubeflow.org", "runs", {"get", "list", "update"}),
        ("pipelines.kubeflow.org", "artifacts", {"get", "list", "create"}),
    ],
)
def test_pods_of_a_run_may_do_what_driver_and_launcher_ask(
    overlay: str, group: str, resource: str, verbs: set[str]
) -> None:
    rules = [rule for rule in _rules(overlay) if group in rule["apiGroups"] and resource in rule["resources"]]
    assert {verb for rule in rules for verb in rule["verbs"]} >= verbs


@each_overlay
@pytest.mark.parametrize(
    ("labels", "port"),
    [
        ({"app": "ml-pipeline"}, 8887),
        ({"app": "ml-pipeline"}, 8888),
        ({"component": "metadata-grpc-server"}, 8080),  # Up to 2.17; of later releases no pod has this label.
    ],
)
def test_pods_of_a_run_reach_what_keeps_their_tasks(overlay: str, labels: dict[str, str], port: int) -> None:
    rules = named(overlay, "NetworkPolicy", "runs")["spec"]["egress"]
    opened = [rule for rule in rules if {"podSelector": {"matchLabels": labels}} in rule["to"]]
    assert port in {entry["port"] for rule in opened for entry in rule["ports"]}


# ---- network ---------------------------------------------------------------------------------------------------------


@each_overlay
def test_whatever_is_not_opened_is_closed(overlay: str) -> None:
    spec = named(overlay, "NetworkPolicy", "default-deny")["spec"]
    assert spec == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


@each_overlay
def test_openings_name_peers_and_ports(overlay: str) -> None:
    for policy in of_kind(overlay, "NetworkPolicy"):
        if policy["metadata"]["name"] == "kubeflow-pipelines":
            continue
        spec = policy["spec"]
        assert spec["policyTypes"]
        for rule in spec.get("egress", []):
            assert rule["to"]
            assert rule.get("ports") or policy["metadata"]["name"] == "workers"
        for rule in spec.get("ingress", []):
            assert rule["from"]


@each_overlay
def test_pods_of_a_run_reach_what_driver_and_launcher_call(overlay: str) -> None:
    spec = named(overlay, "NetworkPolicy", "runs")["spec"]
    # argocompiler/argo.go labels all pods so.
    assert spec["podSelector"]["matchLabels"] == {"pipelines.kubeflow.org/v2_component": "true"}
    ports = {port["port"] for rule in spec["egress"] for port in rule["ports"]}
    assert ports == {8887, 8888, 8080, 8333, 443, 6443}


def test_the_component_of_the_model_registry_opens_that_and_no_more() -> None:
    [policy] = yaml.safe_load_all((K8S / "components" / "model-registry" / "network-policy.yaml").read_text())
    runs = named(OVERLAYS[0], "NetworkPolicy", "runs")["spec"]
    assert policy["spec"]["podSelector"] == runs["podSelector"]
    [opening] = policy["spec"]["egress"]
    [peer] = opening["to"]
    assert peer["podSelector"]["matchLabels"] == {"component": "model-registry-server"}
    assert [port["port"] for port in opening["ports"]] == [8080]


@each_overlay
def test_the_internet_is_open_only_where_its_component_is(overlay: str) -> None:
    internet = [
        block
        for policy in of_kind(overlay, "NetworkPolicy")
        for rule in policy["spec"].get("egress", [])
        for peer in rule.get("to", [])
        if (block := peer.get("ipBlock")) and block["cidr"] == "0.0.0.0/0"
    ]
    assert bool(internet) == (overlay == "gke")
    assert all({"10.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"} <= {*b["except"]} for b in internet)


# ---- quota -----------------------------------------------------------------------------------------------------------


@each_overlay
def test_the_quota_demands_no_limits_of_the_services_beside_the_runs(overlay: str) -> None:
    (quota,) = of_kind(overlay, "ResourceQuota")
    assert quota["spec"]["hard"]["requests.nvidia.com/gpu"]
    assert not [key for key in quota["spec"]["hard"] if key.startswith("limits.")]
    (limits,) = of_kind(overlay, "LimitRange")
    (of_containers,) = (limit for limit in limits["spec"]["limits"] if limit["type"] == "Container")
    assert set(of_containers["defaultRequest"]) == {"cpu", "memory"}
    assert not {"default", "max"} & set(of_containers)


# ---- the pipeline's configuration ------------------------------------------------------------------------------------


@each_overlay
def test_the_configurations_defaults_are_there(overlay: str) -> None:
    assert named(overlay, "ServiceAccount", DEFAULTS.service_account)
    assert {m["metadata"].get("namespace", DEFAULTS.namespace) for m in built(overlay)} == {DEFAULTS.namespace}
    assert named(overlay, "Namespace", DEFAULTS.namespace)


@each_overlay
def test_what_the_configuration_mounts_and_names_is_there(overlay: str) -> None:
    for field in ("volume", "service_account"):
        for value in (getattr(section, field, None) for section in (DEFAULTS, Workers(bucket="gs://bucket"))):
            if isinstance(value, Volume):
                assert named(overlay, "PersistentVolumeClaim", value.claim)
            elif value:
                assert named(overlay, "ServiceAccount", value)


@each_overlay
def test_claims_that_pods_mount_are_there(overlay: str) -> None:
    for _, pod in pod_specs(overlay):
        for volume in pod["volumes"]:
            if claim := volume.get("persistentVolumeClaim"):
                assert named(overlay, "PersistentVolumeClaim", claim["claimName"])


def test_the_default_pipeline_root_is_the_one_of_kubeflows_own_store() -> None:
    launcher = named("kind", "ConfigMap", "kfp-launcher")["data"]
    assert launcher["defaultPipelineRoot"] == DEFAULTS.pipeline_root


@each_overlay
def test_the_launcher_knows_the_store_of_the_pipeline_root(overlay: str) -> None:
    root = named(overlay, "ConfigMap", "kfp-launcher")["data"]["defaultPipelineRoot"]
    assert set(_providers(overlay)) == {root.partition("://")[0]}


@each_overlay
def test_the_launchers_keys_are_those_that_it_reads(overlay: str) -> None:
    for scheme, provider in _providers(overlay).items():
        assert set(provider) == {"default"}
        assert set(provider["default"]) <= (PROVIDER_KEYS if scheme != "gs" else {"credentials"})
        credentials = provider["default"]["credentials"]
        assert credentials["fromEnv"] or set(credentials["secretRef"]) == SECRET_KEYS[scheme]


@each_overlay
def test_runs_may_read_the_secret_that_the_launcher_is_told_of(overlay: str) -> None:
    readable = {name for rule in _rules(overlay) if "secrets" in rule["resources"] for name in rule["resourceNames"]}
    for provider in _providers(overlay).values():
        credentials = provider["default"]["credentials"]
        assert credentials["fromEnv"] or credentials["secretRef"]["secretName"] in readable


# ---- GKE's settings --------------------------------------------------------------------------------------------------


def test_settings_of_gke_reach_every_place_and_not_the_cluster() -> None:
    settings = yaml.safe_load((K8S / "overlays/gke/settings.yaml").read_text())["data"]
    text = json.dumps(built("gke"))
    for value in settings.values():
        assert value in text
    assert not [m for m in of_kind("gke", "ConfigMap") if m["metadata"]["name"] == "settings"]
    accounts: list[Manifest] = [named("gke", "ServiceAccount", f"segpipe-{name}") for name in ("pipeline", "worker")]
    assert {a["metadata"]["annotations"]["iam.gke.io/gcp-service-account"] for a in accounts} == {
        settings["service-account"]
    }
