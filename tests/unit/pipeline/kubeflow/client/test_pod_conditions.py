"""What is made of the words that a cluster has for pods that do not start, and for those that failed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.kubeflow.client.pod_conditions import ended, held, pod_end, pod_message, said_at_the_end

Json = dict[str, Any]

REAL: dict[str, Json] = json.loads(Path(__file__).with_name("pod_texts.json").read_text())
TRAINER = "kubeflow.steps.trainer"
NO_CPU = (
    "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes are available: "
    "1 No preemption victims found for incoming pod."
)
BACK_OFF = 'ImagePullBackOff: Back-off pulling image "registry.example.com/segpipe:9"'
KFP_IMAGE = 'ErrImagePull: failed to pull and unpack image "ghcr.io/kubeflow/kfp-launcher:2.17.0": not found'


class TestHeld:
    @pytest.mark.parametrize(
        ("message", "words", "remedy"),
        [
            (
                f"Unschedulable: {NO_CPU}",
                "0/1 nodes are available: 1 Insufficient cpu",
                f"a request of {TRAINER}.cpu is",
            ),
            ("Unschedulable: 0/3 nodes are available: 3 Insufficient memory.", "3 Insuff", f"of {TRAINER}.memory is"),
            (
                "Unschedulable: 0/2 nodes are available: 2 Insufficient nvidia.com/gpu.",
                "2 Insufficient nvidia.com/gpu",
                f"{TRAINER}.accelerator asks for more nvidia.com/gpu than is free",
            ),
            (
                "Unschedulable: 0/2 nodes are available: 2 node(s) had untolerated taint {nvidia.com/gpu: present}.",
                "{nvidia.com/gpu: present}",
                f"{TRAINER}.tolerations names",
            ),
            (
                "Unschedulable: 0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.",
                "node affinity/selector",
                f"{TRAINER}.node_selector names",
            ),
            (
                'Unschedulable: 0/1 nodes are available: persistentvolumeclaim "segpipe" not found. not found.',
                'persistentvolumeclaim "segpipe" not found',
                "create the claim segpipe in the namespace of the runs",
            ),
            (
                "Unschedulable: 0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.",
                "unbound immediate",
                "kubectl describe pvc",
            ),
            (BACK_OFF, BACK_OFF, "kubeflow.image names the image, kubeflow.pull_secrets"),
            ("InvalidImageName", "InvalidImageName", "kubeflow.image names"),
            (KFP_IMAGE, "kfp-launcher", "the image is one of Kubeflow Pipelines"),
            (
                'CreateContainerConfigError: secret "chat" not found',
                'secret "chat" not found',
                f"create the secret chat in the namespace of the runs, or name another in {TRAINER}.secrets",
            ),
            (
                "CreateContainerConfigError: couldn't find key address in Secret kubeflow/chat",
                "couldn't find key address",
                "add the key address to the secret kubeflow/chat",
            ),
            (
                'CreateContainerConfigError: configmap "settings" not found',
                "configmap",
                "create the config map settings",
            ),
            (
                "CreateContainerConfigError: container has runAsNonRoot and image will run as root",
                "runAsNonRoot",
                "kubeflow.image must be an image whose user is not root",
            ),
            (
                'pods "sample-x7k2p-1" is forbidden: exceeded quota: team, requested: requests.cpu=2, used: '
                "requests.cpu=3, limited: requests.cpu=4",
                "exceeded quota: team",
                f"the quota team of the namespace is used up: wait until other pods end, or lower what {TRAINER}",
            ),
            (
                'MountVolume.SetUp failed for volume "keys" : secret "keys" not found',
                'secret "keys" not found',
                "create the secret keys",
            ),
        ],
    )
    def test_is_the_cluster_s_reason_and_one_remedy(self, message: str, words: str, remedy: str) -> None:
        reason = held(message, "trainer")
        assert reason is not None
        assert words in reason.words
        assert remedy in reason.remedy
        assert str(reason) == f"{reason.words}; {reason.remedy}"
        assert len(str(reason).splitlines()) == 1

    def test_is_passed_on_where_it_is_not_known(self) -> None:
        assert str(held("SomethingNew: of a later release", "trainer")) == "SomethingNew: of a later release"

    @pytest.mark.parametrize("message", ["", "PodInitializing", "ContainerCreating"])
    def test_is_nothing_of_a_pod_that_is_on_its_way(self, message: str) -> None:
        assert held(message, "trainer") is None

    def test_of_a_driver_no_key_of_the_step_is_named(self) -> None:
        reason = held(f"Unschedulable: {NO_CPU}", "trainer", is_driver=True)
        assert reason is not None
        assert reason.remedy == "the pod is the driver of Kubeflow Pipelines, not the step's"

    @pytest.mark.parametrize(
        ("message", "remedy"),
        [
            (
                "exceeded quota: team, requested: pods=1",
                "the quota team of the namespace is used up: wait until other pods",
            ),
            ("ErrImagePull: example.com/driver:2: not found", "the image is one of Kubeflow Pipelines"),
            ('serviceaccount "segpipe-pipeline" not found', "create the service account segpipe-pipeline"),
        ],
    )
    def test_of_a_driver_what_is_not_the_step_s_is_told(self, message: str, remedy: str) -> None:
        assert remedy in str(held(message, "trainer", is_driver=True))

    def test_of_the_webhook_s_task_its_own_key_is_named(self) -> None:
        assert str(held('secret "chat" not found', "notify")).endswith("or name another in kubeflow.webhook")

    def test_is_one_topic_while_an_image_is_tried_again_and_while_numbers_change(self) -> None:
        pulls = [held(text, "trainer") for text in (BACK_OFF, "ErrImagePull: not found")]
        nodes = [held(f"0/{n} nodes are available: {n} Insufficient cpu", "trainer") for n in (1, 2)]
        assert [reason and reason.topic for reason in pulls] == 2 * [pulls[0] and pulls[0].topic]
        assert [reason and reason.topic for reason in nodes] == 2 * [nodes[0] and nodes[0].topic]
        assert pulls[0] and nodes[0] and pulls[0].topic != nodes[0].topic

    def test_is_cut_short(self) -> None:
        assert len(str(held("x" * 1000, "trainer"))) < 410


class TestEnded:
    @pytest.mark.parametrize(
        ("message", "text"),
        [
            ("main: OOMKilled (exit code 137)", f"main: OOMKilled (exit code 137); raise {TRAINER}.memory"),
            (
                "main: Error (exit code 137)",
                f"killed (exit status 137), as it is when memory runs out; raise {TRAINER}",
            ),
            ("The node was low on resource: memory. Threshold quantity: 100Mi", f"raise {TRAINER}.memory, so that"),
            ("Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. ", "own disk was full"),
            (
                "Pod was active on the node longer than the specified deadline",
                f"specified deadline; {TRAINER}.timeout_minutes is its deadline",
            ),
            ("pod deleted", f"pod deleted; somebody deleted it, or its node was removed; {TRAINER}.retries"),
            ("Pod failed before main container starts due to ContainerCreating: ", "Pod failed before main container"),
            (
                'pods "sample-1" is forbidden: violates PodSecurity "restricted:latest": unrestricted capabilities',
                "level of pod security refuses the pod",
            ),
            (
                'pods "sample-1" is forbidden: error looking up service account kubeflow/segpipe-pipeline: '
                'serviceaccount "segpipe-pipeline" not found',
                "create the service account segpipe-pipeline in the namespace of the runs",
            ),
            (
                'pods "sample-1" is forbidden: failed quota: team: must specify limits.cpu for: main; limits.memory '
                "for: main",
                "the quota team demands limits.cpu",
            ),
            ("wait: Error (exit code 64): failed to save outputs", "wait: Error (exit code 64): failed to save"),
        ],
    )
    def test_says_what_the_pod_could_not(self, message: str, text: str) -> None:
        assert text in str(ended(message, "trainer"))

    @pytest.mark.parametrize(
        "message",
        [
            "",
            "main: Error (exit code 1)",
            "child 'sample-x7k2p-1' failed",
            "No more retries left",
            "Backoff for 2 minutes",
        ],
    )
    def test_is_nothing_where_the_pod_has_the_last_word(self, message: str) -> None:
        assert ended(message, "trainer") is None

    def test_a_container_s_last_words_are_in_argo_s_message(self) -> None:
        assert (
            said_at_the_end("main: Error (exit code 1): error: the loss is no number") == "error: the loss is no number"
        )
        assert said_at_the_end("main: Error (exit code 1)") == said_at_the_end("pod deleted") == ""


class TestRealPods:
    """The status and the events of pods of Kubernetes 1.34.2 with containerd, as they were read from its API."""

    @pytest.mark.parametrize(
        ("name", "remedy"),
        [
            ("image that cannot be pulled", "kubeflow.image names the image"),
            ("image that is not there, pull policy Never", "kubeflow.image names the image"),
            ("image name that is invalid", "kubeflow.image names the image"),
            (
                "Secret of a variable is missing",
                "create the secret chat in the namespace of the runs, or name another in",
            ),
            ("Secret of a volume is missing", "create the secret chat in the namespace of the runs"),
            ("ConfigMap of a volume is missing", "create the config map nowhere in the namespace of the runs"),
            ("claim is missing", "create the claim segpipe in the namespace of the runs"),
            ("runAsNonRoot, image runs as root", "kubeflow.image must be an image whose user is not root"),
        ],
    )
    def test_what_holds_one_is_told_with_a_remedy(self, name: str, remedy: str) -> None:
        pod = REAL[name]
        reason = held(pod_message(pod, pod["events"]), "trainer")
        assert reason is not None
        assert remedy in reason.remedy
        assert pod_end(pod) == ""

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("rejected by the kubelet, cpu", f"a request of {TRAINER}.cpu is larger than what the node has"),
            ("rejected by the kubelet, memory", f"a request of {TRAINER}.memory is larger than what the node has"),
            ("rejected by the kubelet, node selector", f"{TRAINER}.node_selector names labels"),
            ("OOMKilled", f"main: OOMKilled (exit code 137); raise {TRAINER}.memory"),
            ("evicted, emptyDir full", "the pod's own disk was full"),
            ("command not in the image", "kubeflow.image must be an image of segpipe"),
            ("deadline", f"{TRAINER}.timeout_minutes is its deadline"),
        ],
    )
    def test_what_ended_one_is_told_with_a_remedy(self, name: str, text: str) -> None:
        assert text in str(ended(pod_end(REAL[name]), "trainer"))

    def test_one_that_ended_of_itself_has_the_last_word(self) -> None:
        assert pod_end(REAL["exit status 3"]) == "main: Error (exit code 3)"
        assert ended(pod_end(REAL["exit status 3"]), "trainer") is None


class TestPod:
    def test_a_first_container_s_image_is_named(self) -> None:
        waits = {"waiting": {"reason": "ErrImagePull", "message": "kfp-launcher: not found"}}
        pod = _pod(initContainerStatuses=[{"name": "kfp-launcher", "state": waits}], containerStatuses=[_INITIALIZING])
        assert pod_message(pod) == "ErrImagePull: kfp-launcher: not found"

    def test_a_pod_without_a_node_says_why(self) -> None:
        condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": NO_CPU}
        assert pod_message(_pod(conditions=[condition])) == f"Unschedulable: {NO_CPU}"

    def test_the_last_warning_comes_before_what_is_done_just_now(self) -> None:
        events = [
            _event("Warning", "FailedScheduling", "no node", "2026-08-21T10:00:00Z"),
            _event("Warning", "FailedMount", 'secret "keys" not found', "2026-08-21T10:00:30Z"),
            _event("Normal", "Pulling", "Pulling image", "2026-08-21T10:00:40Z"),
        ]
        pod = _pod(containerStatuses=[_INITIALIZING])
        assert pod_message(pod, events) == 'FailedMount: secret "keys" not found'
        assert pod_message(pod, events[2:]) == "Pulling: Pulling image"
        assert pod_message(pod, []) == ""

    def test_the_end_of_a_pod_is_told_as_argo_tells_it(self) -> None:
        end = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}
        wait = {"terminated": {"reason": "Error", "exitCode": 2}}
        containers = [{"name": "wait", "state": wait}, {"name": "main", "state": end}]
        assert pod_end(_pod(phase="Failed", containerStatuses=containers)) == "main: OOMKilled (exit code 137)"
        assert pod_end(_pod(phase="Failed", reason="Evicted", message="The node was low")) == "The node was low"
        assert pod_end(_pod(containerStatuses=containers)) == pod_end({}) == ""


_INITIALIZING = {"name": "main", "state": {"waiting": {"reason": "PodInitializing"}}}


def _pod(phase: str = "Pending", **status: Any) -> Json:
    return {"kind": "Pod", "status": {"phase": phase, **status}}


def _event(kind: str, reason: str, message: str, when: str) -> Json:
    return {"type": kind, "reason": reason, "message": message, "lastTimestamp": when}
