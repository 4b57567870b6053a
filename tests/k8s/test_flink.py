"""What the components `flink` and `flink-operator` promise, in an overlay as a user adds them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.beam.arguments import WORKER_POOL
from pipeline.beam.server.flink_configuration import MEGABYTES, RESTARTS, TASK_MANAGER_MEMORY
from pipeline.beam.server.jars import BEAM, FLINK_JARS
from pipeline.beam.server.java import find_java
from pipeline.kubeflow.config import KubeflowConfig
from tests.support.beam_server import need_engine
from tests.support.manifests import Manifest, built, named, of_kind, pod_specs
from tests.support.pod_security import violations

SESSION, OPERATOR = "../tests/k8s/with_flink", "../tests/k8s/with_flink_operator"
OPERATORS_OWN = "flink.apache.org/v1beta1"
JOB_SERVER, JOB_MANAGER, TASK_MANAGER = "flink-job-server", "flink-jobmanager", "flink-taskmanager"
STEP = {"pipelines.kubeflow.org/v2_component": "true"}

each_overlay = pytest.mark.parametrize("overlay", [SESSION, OPERATOR])


def pods(overlay: str) -> Iterator[tuple[str, dict[str, str], Manifest]]:
    """The name, labels and specification of each pod of Flink; the operator adds image and command to the latter."""
    for manifest in of_kind(overlay, "Deployment"):
        template = manifest["spec"]["template"]
        yield manifest["metadata"]["name"], template["metadata"]["labels"], template["spec"]
    for manifest in of_kind(overlay, "FlinkDeployment"):
        for role in ("jobManager", "taskManager"):
            template = manifest["spec"][role]["podTemplate"]
            yield role, template["metadata"]["labels"], template["spec"]


def pod_of(overlay: str, component: str) -> Manifest:
    (found,) = (spec for _, labels, spec in pods(overlay) if labels["app.kubernetes.io/component"] == component)
    return found


def container_of(pod: Manifest, name: str) -> Manifest:
    (found,) = (container for container in pod["containers"] if container["name"] == name)
    return found


def settings(overlay: str) -> dict[str, Any]:
    """Flink's configuration."""
    if overlay == SESSION:
        return yaml.safe_load(named(overlay, "ConfigMap", "segpipe-flink")["data"]["config.yaml"])
    return named(overlay, "FlinkDeployment", "segpipe-flink")["spec"]["flinkConfiguration"]


def openings(overlay: str, component: str, direction: str) -> set[tuple[str, int]]:
    """Whom a component may call, or be called by: component and port."""
    found = set()
    for policy in of_kind(overlay, "NetworkPolicy"):
        if policy["spec"]["podSelector"].get("matchLabels", {}).get("app.kubernetes.io/component") != component:
            continue
        for rule in policy["spec"].get(direction, []):
            for peer in rule["to" if direction == "egress" else "from"]:
                labels = peer.get("podSelector", {}).get("matchLabels", {})
                who = "step" if labels == STEP else labels.get("app.kubernetes.io/component", "others")
                found |= {(who, port["port"]) for port in rule["ports"]}
    return found


@each_overlay
@pytest.mark.parametrize("version", ["1.31", "1.34", "1.37"])
def test_objects_fit_the_schemas_of_kubernetes(overlay: str, version: str) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    for manifest in built(overlay):
        if manifest["apiVersion"] != OPERATORS_OWN:
            kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.parametrize("component", [JOB_MANAGER, TASK_MANAGER])
def test_the_operators_templates_are_pods_of_kubernetes(component: str) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": pod_of(OPERATOR, component)}
    kubernetes_validate.validate(pod, "1.34", strict=True)


@each_overlay
def test_every_pod_is_restricted_with_a_read_only_root_and_limited_scratch(overlay: str) -> None:
    for name, _, pod in pods(overlay):
        assert violations(pod) == [], name
        for volume in pod["volumes"]:
            assert "emptyDir" not in volume or volume["emptyDir"]["sizeLimit"], name
        for container in pod["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True, name
            # The operator sets the resources of Flink's own container.
            assert container["name"] == "flink-main-container" or container["resources"]["limits"]["memory"], name


@each_overlay
def test_no_pod_but_a_job_manager_that_makes_pods_has_rights(overlay: str) -> None:
    for name, _, pod in pods(overlay):
        assert name == "jobManager" or pod["automountServiceAccountToken"] is False, name
    subjects = {subject["name"] for binding in of_kind(overlay, "RoleBinding") for subject in binding["subjects"]}
    assert subjects - {KubeflowConfig().service_account} == (set() if overlay == SESSION else {"segpipe-flink"})
    for rule in (rule for role in of_kind(overlay, "Role") for rule in role["rules"]):
        assert not {*rule["apiGroups"], *rule["resources"], *rule["verbs"]} & {"*", "pods/exec", "secrets/*"}


@each_overlay
def test_workers_are_where_a_step_asks_for_them_and_see_its_claim(overlay: str) -> None:
    pod = pod_of(overlay, TASK_MANAGER)
    workers = container_of(pod, "workers")
    assert workers["command"] == ["segpipe-step", "beam-workers", "--port", WORKER_POOL.rpartition(":")[2]]
    volume = KubeflowConfig().volume
    assert volume is not None
    (claim,) = (v for v in pod["volumes"] if "persistentVolumeClaim" in v)
    assert claim["persistentVolumeClaim"]["claimName"] == volume.claim
    assert {"name": claim["name"], "mountPath": volume.mount} in workers["volumeMounts"]
    assert workers["securityContext"]["runAsUser"] == 10001  # Of the image, as which the steps write.
    assert workers["image"] == "segpipe:1"


@each_overlay
def test_a_worker_has_memory_and_a_core_for_each_slot(overlay: str) -> None:
    slots = int(settings(overlay)["taskmanager.numberOfTaskSlots"])
    requests = container_of(pod_of(overlay, TASK_MANAGER), "workers")["resources"]["requests"]
    assert int(requests["cpu"]) >= slots
    assert int(requests["memory"].removesuffix("Gi")) > slots


@each_overlay
def test_the_job_server_submits_to_the_job_manager_and_names_its_service_to_the_steps(overlay: str) -> None:
    server = container_of(pod_of(overlay, JOB_SERVER), "job-server")
    given = dict(argument.removeprefix("--").split("=") for argument in server["args"])
    manager, _, port = given["flink-master"].partition(":")
    service = named(overlay, "Service", manager)["spec"]
    assert int(port) in {entry["port"] for entry in service["ports"]}
    assert service["selector"] == pod_labels(overlay, JOB_MANAGER)
    own = named(overlay, "Service", given["job-host"])["spec"]
    assert own["selector"] == pod_labels(overlay, JOB_SERVER)
    assert {int(given["job-port"]), int(given["artifact-port"])} == {entry["port"] for entry in own["ports"]}


def pod_labels(overlay: str, component: str) -> dict[str, str]:
    (labels,) = (labels for _, labels, _ in pods(overlay) if labels["app.kubernetes.io/component"] == component)
    return labels


@each_overlay
def test_versions_are_those_of_the_jars_that_were_tried(overlay: str) -> None:
    images = {container["image"] for _, pod in pod_specs(overlay) for container in pod["containers"]}
    assert f"apache/beam_flink{FLINK_JARS.version}_job_server:{BEAM}" in images
    for manifest in of_kind(overlay, "FlinkDeployment"):
        images.add(manifest["spec"]["image"])
        assert manifest["spec"]["flinkVersion"] == f"v{FLINK_JARS.version.replace('.', '_')}"
    assert [image for image in images if image.startswith(f"flink:{FLINK_JARS.version}.")]


@each_overlay
def test_network_policies_open_what_flink_is_configured_for_and_no_more(overlay: str) -> None:
    flink = settings(overlay)
    data, rpc, metrics, blob = (
        int(flink[key])
        for key in (
            "taskmanager.data.port",
            "taskmanager.rpc.port",
            "metrics.internal.query-service.port",
            "blob.server.port",
        )
    )
    manager = {(JOB_MANAGER, 6123), (JOB_MANAGER, blob)}
    others = set() if overlay == SESSION else {("others", 443), ("others", 6443)}
    assert openings(overlay, JOB_SERVER, "ingress") == {("step", 8099), ("step", 8098)}
    assert openings(overlay, JOB_SERVER, "egress") == {(JOB_MANAGER, 8081)}
    assert openings(overlay, TASK_MANAGER, "egress") == {*manager, (TASK_MANAGER, data)}
    assert openings(overlay, TASK_MANAGER, "ingress") == {
        (JOB_MANAGER, rpc),
        (JOB_MANAGER, metrics),
        (TASK_MANAGER, data),
    }
    assert openings(overlay, JOB_MANAGER, "egress") == {(TASK_MANAGER, rpc), (TASK_MANAGER, metrics), *others}
    submitting = {(JOB_SERVER, 8081), ("step", 8081), (TASK_MANAGER, 6123), (TASK_MANAGER, blob)}
    assert openings(overlay, JOB_MANAGER, "ingress") - {("others", 8081)} == submitting


@each_overlay
def test_steps_reach_the_job_server_and_the_page_by_which_they_cancel(overlay: str) -> None:
    policy = named(overlay, "NetworkPolicy", "flink-steps")["spec"]
    assert policy["podSelector"]["matchLabels"] == STEP
    assert {port["port"] for rule in policy["egress"] for port in rule["ports"]} == {8099, 8098, 8081}


@pytest.mark.slow
@each_overlay
def test_flink_computes_from_its_configuration_the_memory_that_was_tried(overlay: str, tmp_path: Path) -> None:
    """By the program with which Flink's own scripts compute the arguments of a TaskManager's JVM."""
    need_engine("flink")
    configured = dict(settings(overlay))
    configured.setdefault("taskmanager.memory.process.size", "4g")  # The operator's, of `taskManager.resource`.
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(configured))
    program = "org.apache.flink.runtime.util.bash.BashJavaUtils"
    command = [find_java(), "-cp", f"{FLINK_JARS.cache_folder()}/jars/*", program, "GET_TM_RESOURCE_PARAMS"]
    done = subprocess.run([*command, "--configDir", tmp_path], capture_output=True, text=True, check=True)
    computed = done.stdout + done.stderr
    heap, direct = (int(size) for size in re.search(r"-Xmx(\d+) .*-XX:MaxDirectMemorySize=(\d+)", computed).groups())
    tried_heap, tried_direct = (int(re.search(r"(\d+)m", argument)[1]) << 20 for argument in TASK_MANAGER_MEMORY)
    assert heap >= tried_heap and direct >= tried_direct


@each_overlay
def test_flink_recovers_as_the_one_that_was_tried(overlay: str) -> None:
    """`segpipe beam-server` starts Flink with these; with them a killed TaskManager was survived."""
    flink = settings(overlay)
    assert int(flink["heartbeat.timeout"]) == 10000
    restarts = {key: value for key, value in flink.items() if key.startswith("restart-strategy")}
    assert {key: str(value) for key, value in restarts.items()} == {key: str(value) for key, value in RESTARTS.items()}
    assert flink["taskmanager.memory.network.max"] == f"{MEGABYTES['taskmanager.memory.network.max']}m"
    assert int(flink["taskmanager.network.sort-shuffle.min-buffers"]) == 64
