"""What holds or ends a pod, in Kubernetes' own words: what a watch can tell a person."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.cluster import Cluster, Json, pod, put_into

pytestmark = pytest.mark.slow


def start(cluster: Cluster, namespace: str, manifest: Json) -> str:
    cluster.apply(put_into(namespace, manifest))
    return str(manifest["metadata"]["name"])


def condition(found: Json, kind: str) -> Json:
    return next((each for each in found["status"].get("conditions", ()) if each["type"] == kind), {})


def container_state(found: Json) -> Json:
    statuses = found["status"].get("containerStatuses") or [{"state": {}}]
    return dict(statuses[0]["state"])


def waiting(found: Json) -> Json:
    return dict(container_state(found).get("waiting", {}))


def held_by(reason: str) -> Callable[[Json], bool]:
    return lambda found: waiting(found).get("reason") == reason


def with_volume(manifest: Json, **volume: Any) -> Json:
    manifest["spec"]["volumes"] = [{"name": "data", **volume}]
    manifest["spec"]["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    return manifest


def claiming() -> Json:
    return with_volume(pod("claiming", "true"), persistentVolumeClaim={"claimName": "segpipe"})


def test_no_node_has_the_cpu(cluster: Cluster) -> None:
    big = pod("big", "true", resources={"requests": {"cpu": "64", "memory": "16Mi"}})
    with cluster.namespace() as namespace:
        name = start(cluster, namespace, big)
        found = cluster.wait("pod", name, namespace, lambda pod: condition(pod, "PodScheduled"))
        assert found["status"]["phase"] == "Pending" and "containerStatuses" not in found["status"]
        said = condition(found, "PodScheduled")
        assert said["status"] == "False" and said["reason"] == "Unschedulable"
        assert said["message"] == (
            "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, "
            "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
        )
        assert cluster.events(name, namespace) == [f"FailedScheduling: {said['message']}"]


def test_no_node_has_the_label_or_the_device(cluster: Cluster) -> None:
    with cluster.namespace() as namespace:
        gpu = pod("gpu", "true", resources={"limits": {"nvidia.com/gpu": "1"}})
        labelled = pod("labelled", "true")
        labelled["spec"]["nodeSelector"] = {"nvidia.com/gpu.present": "true"}
        for manifest, text in ((gpu, "1 Insufficient nvidia.com/gpu"), (labelled, "node affinity/selector")):
            name = start(cluster, namespace, manifest)
            found = cluster.wait("pod", name, namespace, lambda pod: condition(pod, "PodScheduled"))
            assert text in condition(found, "PodScheduled")["message"]


def test_an_image_that_cannot_be_pulled(cluster: Cluster) -> None:
    with cluster.namespace() as namespace:
        name = start(cluster, namespace, pod("unknown", "true", image="registry.invalid/segpipe:9"))
        found = cluster.wait("pod", name, namespace, held_by("ErrImagePull"))
        assert 'failed to pull and unpack image "registry.invalid/segpipe:9"' in waiting(found)["message"]
        found = cluster.wait("pod", name, namespace, held_by("ImagePullBackOff"))
        assert waiting(found)["message"].startswith('Back-off pulling image "registry.invalid/segpipe:9"')
        assert found["status"]["phase"] == "Pending"


def test_an_image_that_is_never_pulled(cluster: Cluster) -> None:
    with cluster.namespace() as namespace:
        name = start(cluster, namespace, pod("absent", "true", image="absent:1", imagePullPolicy="Never"))
        found = cluster.wait("pod", name, namespace, held_by("ErrImageNeverPull"))
        assert waiting(found)["message"] == 'Container image "absent:1" is not present with pull policy of Never'


def test_a_secret_that_is_missing(cluster: Cluster) -> None:
    reference = {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "chat", "key": "address"}}}
    with cluster.namespace() as namespace:
        name = start(cluster, namespace, pod("secretive", "true", env=[reference]))
        found = cluster.wait("pod", name, namespace, held_by("CreateContainerConfigError"))
        assert waiting(found)["message"] == 'secret "chat" not found'


def test_a_key_that_the_secret_does_not_have(cluster: Cluster) -> None:
    reference = {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "chat", "key": "address"}}}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "chat"}, "stringData": {"other": "x"}}
    with cluster.namespace() as namespace:
        cluster.apply(put_into(namespace, secret))
        name = start(cluster, namespace, pod("secretive", "true", env=[reference]))
        found = cluster.wait("pod", name, namespace, held_by("CreateContainerConfigError"))
        assert waiting(found)["message"] == f"couldn't find key address in Secret {namespace}/chat"


def test_a_secret_that_is_to_be_mounted_and_missing(cluster: Cluster) -> None:
    with cluster.namespace() as namespace:
        mounting = with_volume(pod("mounting", "true"), secret={"secretName": "chat"})
        name = start(cluster, namespace, mounting)
        found = cluster.wait("pod", name, namespace, lambda pod: cluster.events(name, namespace)[1:])
        assert waiting(found) == {"reason": "ContainerCreating"}
        text = 'FailedMount: MountVolume.SetUp failed for volume "data" : secret "chat" not found'
        assert text in cluster.events(name, namespace)


def test_a_claim_that_is_missing(cluster: Cluster) -> None:
    with cluster.namespace() as namespace:
        name = start(cluster, namespace, claiming())
        found = cluster.wait("pod", name, namespace, lambda pod: condition(pod, "PodScheduled"))
        said = condition(found, "PodScheduled")
        assert said["reason"] == "Unschedulable"
        assert said["message"].startswith('0/1 nodes are available: persistentvolumeclaim "segpipe" not found.')


def test_a_claim_whose_class_is_missing(cluster: Cluster) -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "segpipe"},
        "spec": {
            "accessModes": ["ReadWriteMany"],
            "storageClassName": "shared",
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }
    with cluster.namespace() as namespace:
        cluster.apply(put_into(namespace, claim))
        name = start(cluster, namespace, claiming())
        found = cluster.wait("pod", name, namespace, lambda pod: condition(pod, "PodScheduled"))
        assert "pod has unbound immediate PersistentVolumeClaims" in condition(found, "PodScheduled")["message"]


def test_a_container_that_needs_more_memory_than_its_limit(cluster: Cluster) -> None:
    greedy = pod("greedy", "tail /dev/zero", resources={"limits": {"memory": "24Mi"}})
    with cluster.namespace() as namespace:
        name = start(cluster, namespace, greedy)
        found = cluster.wait_for_pod(name, namespace)
        ended = container_state(found)["terminated"]
        assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)
        assert found["status"]["phase"] == "Failed" and "message" not in found["status"]


def test_a_pod_that_fills_its_disk_is_evicted(cluster: Cluster) -> None:
    filling = with_volume(
        pod("filling", "dd if=/dev/zero of=/data/full bs=1M count=40 && sleep 600"), emptyDir={"sizeLimit": "16Mi"}
    )
    with cluster.namespace() as namespace:
        name = start(cluster, namespace, filling)
        found = cluster.wait_for_pod(name, namespace)
        status = found["status"]
        assert (status["phase"], status["reason"]) == ("Failed", "Evicted")
        assert status["message"].startswith('Usage of EmptyDir volume "data" exceeds the limit "16Mi".')


def test_a_program_that_the_image_does_not_have(cluster: Cluster) -> None:
    missing = pod("missing", "true", command=["segpipe-step"])
    with cluster.namespace() as namespace:
        found = cluster.wait_for_pod(start(cluster, namespace, missing), namespace)
        ended = container_state(found)["terminated"]
        assert (ended["reason"], ended["exitCode"]) == ("StartError", 128)
        assert 'exec: "segpipe-step": executable file not found in $PATH' in ended["message"]


def test_root_where_it_may_not_be(cluster: Cluster) -> None:
    rooted = pod("rooted", "true")
    del rooted["spec"]["securityContext"]["runAsUser"]
    with cluster.namespace() as namespace:
        name = start(cluster, namespace, rooted)
        found = cluster.wait("pod", name, namespace, held_by("CreateContainerConfigError"))
        assert "container has runAsNonRoot and image will run as root" in waiting(found)["message"]


def test_a_pod_beyond_the_quota_is_refused(cluster: Cluster) -> None:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "segpipe"},
        "spec": {"hard": {"requests.cpu": "500m", "requests.memory": "1Gi"}},
    }
    with cluster.namespace() as namespace:
        cluster.apply(put_into(namespace, quota))
        cluster.wait("resourcequota", "segpipe", namespace, lambda quota: quota.get("status", {}).get("used"))
        big = pod("big", "true", resources={"requests": {"cpu": "1", "memory": "64Mi"}})
        said = cluster.apply(put_into(namespace, big), check=False)
        assert (
            'pods "big" is forbidden: exceeded quota: segpipe, requested: requests.cpu=1, used: requests.cpu=0, '
            "limited: requests.cpu=500m" in said
        )
        silent = cluster.apply(put_into(namespace, pod("silent", "true")), check=False)
        assert "failed quota: segpipe: must specify requests.cpu for: main; requests.memory for: main" in silent
