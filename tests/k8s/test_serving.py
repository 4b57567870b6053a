"""What k8s/serving and k8s/kserve promise."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from google.protobuf import text_format

from tests.support.manifests import K8S, SERVING, Manifest, built, named, of_kind, pod_specs
from tests.support.pod_security import violations
from tests.support.serving_protos import BatchingParameters, MonitoringConfig

KUBERNETES = ("1.31", "1.34", "1.37")
KSERVE = "kserve/"
STABLE, CANARY = "segpipe-serving", "segpipe-serving-canary"
# Of tensorflow_serving/model_servers/main.cc.
FLAGS = {
    "port",
    "rest_api_port",
    "rest_api_timeout_in_ms",
    "model_config_file",
    "model_config_file_poll_wait_seconds",
    "allow_version_labels_for_unavailable_models",
    "max_num_load_retries",
    "load_retry_interval_micros",
    "monitoring_config_file",
    "grpc_channel_arguments",
    "enable_batching",
    "batching_parameters_file",
}
# Of servables/tensorflow/util.cc, saved_model_warmup_util.cc and batching_session.cc, spelt by prometheus_exporter.cc.
COUNTERS = {":tensorflow:serving:request_count"}
HISTOGRAMS = {
    ":tensorflow:serving:request_latency",
    ":tensorflow:serving:runtime_latency",
    ":tensorflow:serving:model_warmup_latency",
    ":tensorflow:serving:batching_session:queuing_latency",
}
PARTS = {f"{name}_{part}" for name in HISTOGRAMS for part in ("bucket", "sum", "count")}
GROUPS = {  # group → versions that the components are written for
    "monitoring.coreos.com": {"v1"},
    "gateway.networking.k8s.io": {"v1"},
    "serving.kserve.io": {"v1alpha1", "v1beta1"},
}
KINDS = {"ServiceMonitor", "PrometheusRule", "Gateway", "HTTPRoute", "GRPCRoute", "ServingRuntime", "InferenceService"}

each_overlay = pytest.mark.parametrize("overlay", SERVING)
each_outside = pytest.mark.parametrize("overlay", ["serving/overlays/s3", "serving/overlays/gke"])
each_group = pytest.mark.parametrize("group", [STABLE, CANARY])


def _pod(overlay: str, group: str) -> Manifest:
    return named(overlay, "Deployment", group)["spec"]["template"]["spec"]


def _container(overlay: str, group: str, name: str) -> Manifest:
    pod = _pod(overlay, group)
    (found,) = (each for each in [*pod["initContainers"], *pod["containers"]] if each["name"] == name)
    return found


def _flags(overlay: str, group: str) -> dict[str, str]:
    args = _container(overlay, group, "model-server")["args"]
    return dict(argument.removeprefix("--").split("=", 1) for argument in args)


def _with(tmp_path: Path, *components: str) -> tuple[Manifest, ...]:
    """What the s3 overlay becomes with other components."""
    overlay = tmp_path / "overlay"
    overlay.mkdir()
    up = os.path.relpath(K8S / "serving", overlay)
    settings = (K8S / "serving/overlays/s3/settings.yaml").read_text()
    (overlay / "settings.yaml").write_text(settings)
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": "segpipe-serving",
        "resources": [f"{up}/base", "settings.yaml"],
        "components": [f"{up}/components/{name}" for name in (*components, "settings")],
    }
    (overlay / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return built(str(overlay))


# ---- Kubernetes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("overlay", [*SERVING, KSERVE])
@pytest.mark.parametrize("version", KUBERNETES)
def test_every_object_fits_the_schemas_of_kubernetes(overlay: str, version: str) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    for manifest in built(overlay):
        if manifest["kind"] not in KINDS:
            kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.parametrize("overlay", [*SERVING, KSERVE])
def test_objects_of_extensions_are_of_the_versions_that_these_have(overlay: str) -> None:
    for manifest in built(overlay):
        group, _, version = manifest["apiVersion"].rpartition("/")
        assert (manifest["kind"] in KINDS) == (group in GROUPS)
        assert manifest["kind"] not in KINDS or version in GROUPS[group]


@pytest.mark.parametrize("overlay", [*SERVING, KSERVE])
def test_no_object_is_there_twice_and_none_is_outside_of_the_namespace(overlay: str) -> None:
    names = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in built(overlay)]
    assert len(names) == len(set(names))
    namespaces = {m["metadata"].get("namespace") for m in built(overlay) if m["kind"] != "Namespace"}
    assert len(namespaces) == 1


@pytest.mark.parametrize("overlay", [*SERVING, KSERVE])
def test_no_secret_is_in_the_repository_and_keys_come_from_secrets(overlay: str) -> None:
    assert not of_kind(overlay, "Secret")
    for variable in re.findall(r'\{"name": "[^"]*(?:KEY|TOKEN|SECRET)[^"]*", "value": ', json.dumps(built(overlay))):
        raise AssertionError(variable)


# ---- pods ------------------------------------------------------------------------------------------------------------


@each_overlay
def test_every_pod_is_restricted_with_a_read_only_root_and_limited_scratch(overlay: str) -> None:
    pods = dict(pod_specs(overlay))
    assert set(pods) == {STABLE, CANARY}
    for name, pod in pods.items():
        assert violations(pod) == [], name
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsUser"] > 0
        assert all(volume["emptyDir"]["sizeLimit"] for volume in pod["volumes"] if "emptyDir" in volume)
        for container in [*pod["initContainers"], *pod["containers"]]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert container["resources"]["requests"]
            assert container["resources"]["limits"]["memory"]


@each_overlay
def test_images_are_pinned_and_ours_is_the_one_of_the_settings(overlay: str) -> None:
    settings = yaml.safe_load((K8S / overlay / "settings.yaml").read_text())["data"]
    for group in (STABLE, CANARY):
        assert re.fullmatch(r"tensorflow/serving:\d+\.\d+\.\d+", _container(overlay, group, "model-server")["image"])
        for name in ("versions", "sync"):
            assert _container(overlay, group, name)["image"] == settings["image"]


@each_overlay
@each_group
def test_an_update_leaves_no_gap(overlay: str, group: str) -> None:
    spec = named(overlay, "Deployment", group)["spec"]
    assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert spec["minReadySeconds"] > 0
    assert "replicas" not in spec, "applying it again would undo the autoscaler"
    server = _container(overlay, group, "model-server")
    seconds = server["lifecycle"]["preStop"]["sleep"]["seconds"]
    flags = _flags(overlay, group)
    channel = dict(argument.split("=") for argument in flags["grpc_channel_arguments"].split(","))
    age, grace = (int(channel[f"grpc.max_connection_age_{name}"]) / 1000 for name in ("ms", "grace_ms"))
    longest = int(flags["rest_api_timeout_in_ms"]) / 1000
    assert grace > longest
    assert seconds >= 1.1 * age + longest, (
        "a connection, with gRPC's jitter, and its last request end before the server"
    )
    assert spec["template"]["spec"]["terminationGracePeriodSeconds"] > seconds


@each_overlay
@each_group
def test_there_are_two_at_least_and_one_of_them_stays(overlay: str, group: str) -> None:
    scaler = named(overlay, "HorizontalPodAutoscaler", group)["spec"]
    assert scaler["minReplicas"] >= 2
    assert scaler["scaleTargetRef"]["name"] == group
    assert scaler["metrics"][0]["containerResource"]["container"] == "model-server"
    budget = named(overlay, "PodDisruptionBudget", group)["spec"]
    assert budget["maxUnavailable"] == 1
    labels = named(overlay, "Deployment", group)["spec"]["selector"]["matchLabels"]
    assert budget["selector"]["matchLabels"] == labels
    assert named(overlay, "Service", group)["spec"]["selector"] == labels
    for constraint in _pod(overlay, group)["topologySpreadConstraints"]:
        assert constraint["labelSelector"]["matchLabels"] == labels


@each_overlay
def test_the_groups_do_not_select_each_others_pods(overlay: str) -> None:
    selectors = [named(overlay, "Service", group)["spec"]["selector"] for group in (STABLE, CANARY)]
    assert {selector["app.kubernetes.io/instance"] for selector in selectors} == {"stable", "canary"}


@each_overlay
@pytest.mark.parametrize(("group", "label"), [(STABLE, "stable"), (CANARY, "canary")])
def test_a_pod_is_ready_when_the_version_behind_its_label_answers(overlay: str, group: str, label: str) -> None:
    """The status alone is answered with 200 in every state: model_servers/get_model_status_impl.cc."""
    model = yaml.safe_load((K8S / overlay / "settings.yaml").read_text())["data"]["model"]
    server = _container(overlay, group, "model-server")
    for probe in ("readinessProbe", "startupProbe"):
        assert server[probe]["httpGet"]["path"] == f"/v1/models/{model}/labels/{label}/metadata"
    assert "httpGet" not in server["livenessProbe"]


@each_overlay
@each_group
def test_the_server_follows_the_file_that_the_synchronisation_writes(overlay: str, group: str) -> None:
    flags = _flags(overlay, group)
    assert set(flags) <= FLAGS
    commands = [_container(overlay, group, name)["command"] for name in ("versions", "sync")]
    for command in commands:
        folder = next(word for word in command if word.startswith("--to=")).removeprefix("--to=")
        assert flags["model_config_file"] == f"{folder}/models.config"
    poll = int(flags["model_config_file_poll_wait_seconds"])
    assert 0 < 2 * poll < 15, "the synchronisation waits as long before it believes in a version's end"
    assert flags["allow_version_labels_for_unavailable_models"] == "true"


@each_overlay
@pytest.mark.parametrize(("group", "label"), [(STABLE, "stable"), (CANARY, "canary")])
def test_the_synchronisations_command_is_one_that_segpipe_knows(overlay: str, group: str, label: str) -> None:
    from pipeline.cli.serving_commands import sync

    for name in ("versions", "sync"):
        container = _container(overlay, group, name)
        program, command, *arguments = container["command"]
        assert (program, command) == ("segpipe", "sync")
        sync.make_context("sync", list(arguments))
        assert f"--label={label}" in arguments
        assert ("--once" in arguments) == (name == "versions")
        registry = {variable["name"]: variable.get("value") for variable in container["env"]}["SEGPIPE_REGISTRY"]
        assert registry == yaml.safe_load((K8S / overlay / "settings.yaml").read_text())["data"]["registry"]
    assert _container(overlay, group, "sync")["restartPolicy"] == "Always"


@each_overlay
@each_group
def test_only_the_synchronisation_writes_versions(overlay: str, group: str) -> None:
    mounts = {mount["name"]: mount for mount in _container(overlay, group, "model-server")["volumeMounts"]}
    assert mounts["models"]["readOnly"] is True
    for name in ("versions", "sync"):
        for mount in _container(overlay, group, name)["volumeMounts"]:
            assert mount["name"] != "segpipe" or mount["readOnly"] is True, "the registry is read only"


@each_overlay
@each_group
def test_what_pods_mount_and_name_is_there(overlay: str, group: str) -> None:
    pod = _pod(overlay, group)
    assert named(overlay, "ServiceAccount", pod["serviceAccountName"])
    for volume in pod["volumes"]:
        if settings := volume.get("configMap"):
            assert named(overlay, "ConfigMap", settings["name"])


# ---- files of the server ---------------------------------------------------------------------------------------------


@each_overlay
@each_group
def test_metrics_are_where_prometheus_looks(overlay: str, group: str) -> None:
    (volume,) = (volume for volume in _pod(overlay, group)["volumes"] if volume["name"] == "config")
    (text,) = named(overlay, "ConfigMap", volume["configMap"]["name"])["data"].values()
    config = text_format.Parse(text, MonitoringConfig())
    assert config.prometheus_config.enable
    for monitor in of_kind(overlay, "ServiceMonitor"):
        assert monitor["spec"]["endpoints"][0]["path"] == config.prometheus_config.path


def test_batches_are_made_where_their_component_is(tmp_path: Path) -> None:
    manifests = _with(tmp_path, "registry-s3", "batching")
    (settings,) = (m for m in manifests if m["kind"] == "ConfigMap" and "batching.config" in m["data"])
    batching = text_format.Parse(settings["data"]["batching.config"], BatchingParameters())
    assert batching.max_execution_batch_size.value <= batching.max_batch_size.value
    for deployment in (m for m in manifests if m["kind"] == "Deployment"):
        pod = deployment["spec"]["template"]["spec"]
        (server,) = pod["containers"]
        assert "--enable_batching=true" in server["args"]
        file = next(word.partition("=")[2] for word in server["args"] if word.startswith("--batching_parameters_file"))
        (mount,) = (mount for mount in server["volumeMounts"] if mount["name"] == "batching")
        assert file == f"{mount['mountPath']}/batching.config"
        assert {"name": "batching", "configMap": {"name": settings["metadata"]["name"]}} in pod["volumes"]


# ---- network ---------------------------------------------------------------------------------------------------------


@each_overlay
def test_openings_are_of_our_pods_and_name_peers_and_ports(overlay: str) -> None:
    for policy in of_kind(overlay, "NetworkPolicy"):
        spec = policy["spec"]
        if policy["metadata"]["name"] == "default-deny":
            assert spec == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
            continue
        assert spec["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "serving"
        for rule in [*spec.get("ingress", []), *spec.get("egress", [])]:
            assert rule.get("from") or rule.get("to")
            assert rule["ports"]


@each_outside
def test_a_namespace_of_its_own_is_closed_and_admits_restricted_pods_only(overlay: str) -> None:
    assert named(overlay, "NetworkPolicy", "default-deny")
    (namespace,) = of_kind(overlay, "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


@each_overlay
def test_there_are_no_rights(overlay: str) -> None:
    assert not [m for m in built(overlay) if "Role" in m["kind"]]


# ---- from outside ----------------------------------------------------------------------------------------------------


@each_outside
def test_routes_lead_to_services_that_are_there(overlay: str) -> None:
    settings = yaml.safe_load((K8S / overlay / "settings.yaml").read_text())["data"]
    hosts = {"HTTPRoute": settings["host"], "GRPCRoute": settings["grpc-host"]}
    assert len(set(hosts.values())) == 2, "a gateway takes one kind of route for a name"
    (gateway,) = of_kind(overlay, "Gateway")
    assert {listener["hostname"] for listener in gateway["spec"]["listeners"]} == set(hosts.values())
    for route in (*of_kind(overlay, "HTTPRoute"), *of_kind(overlay, "GRPCRoute")):
        assert route["spec"]["parentRefs"] == [{"name": gateway["metadata"]["name"]}]
        assert route["spec"]["hostnames"] == [hosts[route["kind"]]]
        for rule in route["spec"]["rules"]:
            for backend in rule["backendRefs"]:
                ports = {port["port"] for port in named(overlay, "Service", backend["name"])["spec"]["ports"]}
                assert backend["port"] in ports


def _rules(overlay: str, kind: str) -> dict[str, Any]:
    """By what they are for; a rule's own name is in the newest of the Gateway API only."""
    (route,) = of_kind(overlay, kind)
    return dict(zip(("canary", "stable", "split"), route["spec"]["rules"], strict=True))


@each_outside
@pytest.mark.parametrize("kind", ["HTTPRoute", "GRPCRoute"])
def test_the_canary_gets_a_part_and_who_names_a_label_gets_it(overlay: str, kind: str) -> None:
    rules = _rules(overlay, kind)
    weights = {backend["name"]: backend["weight"] for backend in rules["split"]["backendRefs"]}
    assert sum(weights.values()) == 100
    assert 0 < weights[CANARY] < weights[STABLE]
    assert [backend["name"] for backend in rules["stable"]["backendRefs"]] == [STABLE]
    assert [backend["name"] for backend in rules["canary"]["backendRefs"]] == [CANARY]


@each_outside
def test_paths_are_those_of_the_servers_api(overlay: str) -> None:
    model = yaml.safe_load((K8S / overlay / "settings.yaml").read_text())["data"]["model"]
    rules = _rules(overlay, "HTTPRoute")

    def goes_to(path: str) -> str:
        """The longest match wins; a prefix ends at a slash, as the specification of HTTPPathMatch has it."""
        found = {
            match["path"]["value"]: name
            for name, rule in rules.items()
            for match in rule["matches"]
            if path == match["path"]["value"]
            or (match["path"]["type"] == "PathPrefix" and path.startswith(f"{match['path']['value']}/"))
        }
        return found[max(found, key=len)]

    assert goes_to(f"/v1/models/{model}:predict") == "split"
    assert goes_to(f"/v1/models/{model}/versions/3:predict") == "split"
    for label in ("stable", "canary"):
        assert goes_to(f"/v1/models/{model}/labels/{label}:predict") == label
        assert goes_to(f"/v1/models/{model}/labels/{label}/metadata") == label
    with pytest.raises(ValueError, match="empty"):
        goes_to("/monitoring/prometheus/metrics")


def test_an_ingress_leads_to_stable(tmp_path: Path) -> None:
    (ingress,) = (m for m in _with(tmp_path, "registry-s3", "ingress") if m["kind"] == "Ingress")
    (rule,) = ingress["spec"]["rules"]
    assert rule["host"] == ingress["spec"]["tls"][0]["hosts"][0] == "segmentation.example.com"
    assert rule["http"]["paths"][0]["backend"]["service"] == {"name": STABLE, "port": {"name": "http"}}


# ---- monitoring ------------------------------------------------------------------------------------------------------


def _our_metrics() -> set[str]:
    """Names of all samples that the synchronisation gives."""
    from serving.versions.sync_metrics import SyncMetrics

    metrics = SyncMetrics()
    metrics.version_loaded("loaded")
    metrics.labels_are({"stable": 1})
    metrics.looked()
    metrics.registry_failed()
    return {sample.name for family in metrics.registry.collect() for sample in family.samples}


def _known() -> set[str]:
    return {*COUNTERS, *PARTS, *_our_metrics(), "up"}


def _asked(expression: str) -> set[str]:
    """Names of metrics in a query: words before `{`; none is asked for without labels."""
    return set(re.findall(r"([A-Za-z_:][\w:]*)\{", expression))


def _expressions(overlay: str) -> list[str]:
    (rule,) = of_kind(overlay, "PrometheusRule")
    alerts = [alert["expr"] for group in rule["spec"]["groups"] for alert in group["rules"]]
    return [*alerts, *(target["expr"] for panel in _dashboard(overlay)["panels"] for target in panel["targets"])]


def _dashboard(overlay: str) -> dict[str, Any]:
    (settings,) = (m for m in of_kind(overlay, "ConfigMap") if m["metadata"]["labels"].get("grafana_dashboard"))
    return json.loads(settings["data"]["segpipe-serving.json"])


@each_outside
def test_alerts_and_dashboard_ask_only_for_metrics_that_exist(overlay: str) -> None:
    for expression in _expressions(overlay):
        assert _asked(expression)
        assert _asked(expression) <= _known(), expression


@each_outside
def test_queries_are_balanced_and_are_of_our_job(overlay: str) -> None:
    for expression in _expressions(overlay):
        for left, right in ("()", "{}", "[]"):
            assert expression.count(left) == expression.count(right), expression
        for selector in re.findall(r"\{([^}]*)\}", expression):
            assert selector.startswith('job="segpipe-serving"'), expression


@each_outside
def test_every_alert_says_what_is_wrong_and_how_bad_it_is(overlay: str) -> None:
    (rule,) = of_kind(overlay, "PrometheusRule")
    alerts = [alert for group in rule["spec"]["groups"] for alert in group["rules"]]
    assert len({alert["alert"] for alert in alerts}) == len(alerts)
    for alert in alerts:
        assert alert["labels"]["severity"] in {"critical", "warning"}
        assert alert["annotations"]["summary"]
        assert alert["annotations"]["description"]


@each_outside
def test_the_dashboards_panels_neither_share_an_id_nor_overlap(overlay: str) -> None:
    dashboard = _dashboard(overlay)
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    cells = [
        (x, y)
        for panel in dashboard["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


@each_outside
def test_prometheus_scrapes_ports_that_are_there_and_is_let_in(overlay: str) -> None:
    (monitor,) = of_kind(overlay, "ServiceMonitor")
    for group in (STABLE, CANARY):
        service = named(overlay, "Service", group)
        selector = monitor["spec"]["selector"]["matchLabels"]
        assert selector.items() <= service["metadata"]["labels"].items()
        assert {e["port"] for e in monitor["spec"]["endpoints"]} <= {port["name"] for port in service["spec"]["ports"]}
        (metrics,) = _container(overlay, group, "sync")["ports"]
        assert f"--metrics-port={metrics['containerPort']}" in _container(overlay, group, "sync")["command"]
    allowed = {
        p["port"] for p in named(overlay, "NetworkPolicy", "segpipe-serving-metrics")["spec"]["ingress"][0]["ports"]
    }
    assert allowed == {8501, 9090}


# ---- Google's and KServe's -------------------------------------------------------------------------------------------


def test_the_account_of_gke_is_the_one_of_the_settings() -> None:
    overlay = "serving/overlays/gke"
    settings = yaml.safe_load((K8S / overlay / "settings.yaml").read_text())["data"]
    annotations = named(overlay, "ServiceAccount", STABLE)["metadata"]["annotations"]
    assert annotations == {"iam.gke.io/gcp-service-account": settings["service-account"]}


def test_the_inference_service_runs_our_runtime_with_a_part_for_the_canary() -> None:
    (service,) = of_kind(KSERVE, "InferenceService")
    predictor = service["spec"]["predictor"]
    (runtime,) = of_kind(KSERVE, "ServingRuntime")
    assert predictor["model"]["runtime"] == runtime["metadata"]["name"]
    formats = [(each["name"], each["version"]) for each in runtime["spec"]["supportedModelFormats"]]
    assert (predictor["model"]["modelFormat"]["name"], predictor["model"]["modelFormat"]["version"]) in formats
    assert predictor["model"]["protocolVersion"] in runtime["spec"]["protocolVersions"]
    assert 0 < predictor["canaryTrafficPercent"] < 100
    assert named(KSERVE, "ServiceAccount", predictor["serviceAccountName"])
    assert predictor["minReplicas"] >= 2


def test_the_runtime_is_our_image_and_has_all_protocols_of_the_embedded_server() -> None:
    (runtime,) = of_kind(KSERVE, "ServingRuntime")
    assert [container["image"].partition(":")[0] for container in runtime["spec"]["containers"]] == [
        "registry.example.com/segpipe"
    ]
    assert runtime["spec"]["protocolVersions"] == ["v1", "v2", "grpc-v1", "grpc-v2"]


def test_the_runtimes_container_is_restricted_and_runs_a_command_that_segpipe_knows() -> None:
    from pipeline.cli.main import cli

    (runtime,) = of_kind(KSERVE, "ServingRuntime")
    assert violations(runtime["spec"]) == []
    (container,) = runtime["spec"]["containers"]
    assert container["name"] == "kserve-container"
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    (service,) = of_kind(KSERVE, "InferenceService")
    program, command, *arguments = [*container["command"], *service["spec"]["predictor"]["model"]["args"]]
    assert program == "segpipe"
    options = cli.commands[command].make_context(command, arguments).params
    assert (options["host"], options["port"], options["version"]) == ("0.0.0.0", 8080, 1)
    assert container["ports"] == [{"name": "http1", "containerPort": options["port"], "protocol": "TCP"}]


def test_the_guides_paths_and_commands_are_there() -> None:
    from pipeline.cli.main import cli

    guide = (K8S / "serving/README.md").read_text()
    for path in set(re.findall(r"(?<![\w/.])((?:k8s|docs|tests)/[\w./-]*\w)", guide)):
        assert (K8S.parent / path).exists(), path
    for command in re.findall(r"^(?:\$ )?segpipe ([\w-]+)", guide, re.MULTILINE):
        assert CliRunner().invoke(cli.commands[command], ["--help"]).exit_code == 0
