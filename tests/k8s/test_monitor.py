"""What k8s/components/monitor and k8s/components/monitoring promise."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.exported_metrics import monitor_page, server_page
from tests.support.manifests import K8S, Manifest, built_with
from tests.support.pod_security import violations

NEWEST = "1.37"
JOB = 'job="segpipe-monitor"'
ALERTS = {
    "SegpipeModelAbsent",
    "SegpipeMonitorMissed",
    "SegpipeDrift",
    "SegpipeDriftNotJudged",
    "SegpipeRunFailed",
    "SegpipeRunMissed",
    "SegpipeRetrainingFailed",
    "SegpipeVersionOld",
    "SegpipeRequestLogLoses",
}


@pytest.fixture(scope="module")
def manifests(tmp_path_factory: pytest.TempPathFactory) -> tuple[Manifest, ...]:
    """The on-prem overlay with both components."""
    return built_with("s3", "monitor", "monitoring", folder=tmp_path_factory.mktemp("overlay"))


def _one(manifests: tuple[Manifest, ...], kind: str, name: str) -> Manifest:
    (found,) = (m for m in manifests if m["kind"] == kind and m["metadata"]["name"] == name)
    return found


def _pod(manifests: tuple[Manifest, ...]) -> Manifest:
    return _one(manifests, "CronJob", "segpipe-monitor")["spec"]["jobTemplate"]["spec"]["template"]


# ---- the job ---------------------------------------------------------------------------------------------------------


def test_objects_fit_the_schemas_of_kubernetes(manifests: tuple[Manifest, ...]) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    for manifest in manifests:
        if manifest["kind"] != "PrometheusRule":
            kubernetes_validate.validate(manifest, NEWEST, strict=True)


def test_the_pod_is_restricted_and_has_no_rights(manifests: tuple[Manifest, ...]) -> None:
    spec = _pod(manifests)["spec"]
    assert violations(spec) == []
    assert spec["automountServiceAccountToken"] is False
    assert _one(manifests, "ServiceAccount", spec["serviceAccountName"])
    (container,) = spec["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    for role in (m for m in manifests if "RoleBinding" in m["kind"]):
        assert spec["serviceAccountName"] not in [subject["name"] for subject in role["subjects"]]


def test_its_command_is_one_that_segpipe_knows(manifests: tuple[Manifest, ...]) -> None:
    from pipeline.cli.monitor_command import monitor

    (container,) = _pod(manifests)["spec"]["containers"]
    assert container["command"] == ["segpipe", "monitor"]
    registry = {each["name"]: each["value"] for each in container["env"]}["SEGPIPE_REGISTRY"]
    options = monitor.make_context("monitor", [registry, *container["args"]]).params
    assert options["once"]
    assert options["exit_zero"]
    mount = next(each["mountPath"] for each in container["volumeMounts"] if each["name"] == "segpipe")
    for place in (registry, options["log"], str(options["config"]), str(options["page"])):
        assert place.startswith(f"{mount}/")


def test_one_job_at_a_time_looks_at_each_window(manifests: tuple[Manifest, ...]) -> None:
    spec = _one(manifests, "CronJob", "segpipe-monitor")["spec"]
    assert spec["concurrencyPolicy"] == "Forbid"
    minute = int(spec["schedule"].split()[0])
    assert minute * 60 >= 120 + 60, "the window's delay, and the time until the server writes its last file"
    assert spec["jobTemplate"]["spec"]["activeDeadlineSeconds"] < 3600


def test_its_network_is_closed_but_for_what_it_calls(manifests: tuple[Manifest, ...]) -> None:
    spec = _one(manifests, "NetworkPolicy", "monitor")["spec"]
    assert spec["podSelector"]["matchLabels"].items() <= _pod(manifests)["metadata"]["labels"].items()
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in spec
    (container,) = _pod(manifests)["spec"]["containers"]
    called = re.findall(r"http://[\w.-]+:(\d+)", json.dumps([container["args"], container["env"]]))
    assert {int(port) for port in called} == {port["port"] for rule in spec["egress"] for port in rule["ports"]}


# ---- alerts and dashboard --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Names of all samples in the monitor's textfile and on the server's page."""
    pages = monitor_page(tmp_path_factory.mktemp("exported")) + server_page()
    return set(re.findall(r"^(segpipe_\w+)", pages, re.MULTILINE))


def _alerts(manifests: tuple[Manifest, ...]) -> list[dict[str, Any]]:
    rule = _one(manifests, "PrometheusRule", "segpipe-drift")
    return [alert for group in rule["spec"]["groups"] for alert in group["rules"]]


def _dashboard(manifests: tuple[Manifest, ...]) -> dict[str, Any]:
    return json.loads(_one(manifests, "ConfigMap", "segpipe-drift-dashboard")["data"]["segpipe-drift.json"])


def _expressions(manifests: tuple[Manifest, ...]) -> list[str]:
    targets = [target for panel in _dashboard(manifests)["panels"] for target in panel["targets"]]
    return [each["expr"] for each in (*_alerts(manifests), *targets)]


def test_alerts_and_dashboard_ask_only_for_metrics_that_are_exported(
    manifests: tuple[Manifest, ...], exported: set[str]
) -> None:
    for expression in _expressions(manifests):
        asked = set(re.findall(r"\bsegpipe_\w+", expression))
        assert asked, expression
        assert asked <= exported, expression
        for selector in re.findall(r"\{([^}]*)\}", expression):
            assert selector.startswith(JOB), expression


def test_the_job_is_the_one_that_the_monitor_pushes_under() -> None:
    from pipeline.monitor import metrics

    assert f'job="{metrics._JOB}"' == JOB


def test_every_alert_says_what_is_wrong_and_is_in_the_docs(manifests: tuple[Manifest, ...]) -> None:
    docs = (K8S.parent / "docs/monitoring.md").read_text()
    assert {alert["alert"] for alert in _alerts(manifests)} == ALERTS
    for alert in _alerts(manifests):
        assert alert["labels"]["severity"] in {"critical", "warning"}
        assert alert["annotations"]["summary"]
        assert alert["annotations"]["description"]
        assert f"`{alert['alert']}`" in docs


def test_the_dashboards_panels_neither_share_an_id_nor_overlap(manifests: tuple[Manifest, ...]) -> None:
    dashboard = _dashboard(manifests)
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    cells = [
        (x, y)
        for panel in dashboard["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    variables = {each["name"] for each in dashboard["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(dashboard["panels"]))) - {"__rate_interval"}
    assert used <= variables


def _rules_of_serving() -> dict[str, Any]:
    return yaml.safe_load((K8S / "serving/components/monitoring/rules.yaml").read_text())["spec"]


@pytest.mark.parametrize("tests", ["drift_rules_test.yaml", "serving_rules_test.yaml"])
def test_promtool_accepts_the_rules_and_they_fire_when_they_should(
    manifests: tuple[Manifest, ...], tests: str, tmp_path: Path
) -> None:
    promtool = os.environ.get("SEGPIPE_TEST_PROMTOOL") or shutil.which("promtool")
    if not promtool:
        pytest.skip("promtool is not installed; SEGPIPE_TEST_PROMTOOL names one")
    is_drift = tests.startswith("drift")
    rules = _one(manifests, "PrometheusRule", "segpipe-drift")["spec"] if is_drift else _rules_of_serving()
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules))
    shutil.copy(Path(__file__).parent / tests, tmp_path / "test.yaml")
    for command in (["check", "rules", "rules.yaml"], ["test", "rules", "test.yaml"]):
        done = subprocess.run([promtool, *command], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
