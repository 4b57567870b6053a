"""The platform document: what Kubernetes alone knows of."""

from __future__ import annotations

from typing import Any

import pytest

from common.errors import UserError
from pipeline.kubeflow.compile.paths import on_cluster
from pipeline.kubeflow.compile.platform import platform_spec
from pipeline.kubeflow.compile.platform_validation import check_platform, platform_problems
from tests.support.cluster_config import cluster_config
from tests.support.small_spec import small_platform, small_spec


def executor(task: str, kubeflow: dict[str, Any]) -> dict[str, Any]:
    document = platform_spec(on_cluster(cluster_config(kubeflow)), [task])
    return document["platforms"]["kubernetes"]["deploymentSpec"]["executors"][f"exec-{task}"]


def constant(value: str) -> dict[str, Any]:
    return {"runtimeValue": {"constant": value}}


def test_every_step_has_scratch_and_is_not_root() -> None:
    assert executor("transform", {}) == {
        "emptyDirMounts": [{"volumeName": "scratch", "mountPath": "/tmp"}],
        "securityContext": {"runAsNonRoot": True},
    }


def test_shared_memory_is_a_folder_in_memory() -> None:
    folders = executor("trainer", {"steps": {"trainer": {"shared_memory": "8Gi"}}})["emptyDirMounts"]
    assert {"volumeName": "shm", "mountPath": "/dev/shm", "medium": "Memory", "sizeLimit": "8Gi"} in folders


def test_claims_secrets_and_pull_secrets_go_by_name() -> None:
    own = {
        "volumes": [{"claim": "resume", "mount": "/resume"}],
        "secrets": {"TOKEN": {"secret": "hub", "key": "token"}},
    }
    found = executor("trainer", {"pull_secrets": ["registry"], "steps": {"trainer": own}})
    assert found["pvcMount"] == [{"mountPath": "/resume", "pvcNameParameter": constant("resume")}]
    assert found["imagePullSecret"] == [{"secretNameParameter": constant("registry")}]
    assert found["secretAsEnv"] == [
        {
            "secretNameParameter": constant("hub"),
            "keyToEnv": [{"envVar": "TOKEN", "secretKey": "token"}],
            "optional": False,
        }
    ]


def test_nodes_taints_and_time() -> None:
    own = {"node_selector": {"pool": "gpu"}, "tolerations": [{"key": "nvidia.com/gpu"}], "timeout_minutes": 2}
    found = executor("trainer", {"steps": {"trainer": own}})
    assert found["nodeSelector"] == {"labels": {"pool": "gpu"}}
    assert found["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists"}]
    assert found["activeDeadlineSeconds"] == 120


GPU_TAINT = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("kubeflow", "tolerations"),
    [
        ({"steps": {"trainer": {"accelerator": {"count": 1}}}}, [GPU_TAINT]),
        ({"steps": {"trainer": {"accelerator": {"count": 1}, "tolerations": []}}}, None),
        ({"steps": {"trainer": {"accelerator": {"resource": "amd.com/gpu"}}}}, [{**GPU_TAINT, "key": "amd.com/gpu"}]),
        ({"workers": {"bucket": "gs://b", "accelerator": {"count": 1}}}, [GPU_TAINT]),
        ({}, None),
    ],
)
def test_a_trainer_with_devices_may_go_to_their_pool(kubeflow: dict[str, Any], tolerations: object) -> None:
    assert executor("trainer", kubeflow).get("tolerations") == tolerations
    assert "tolerations" not in executor("transform", kubeflow)


def test_only_the_last_task_knows_the_webhook() -> None:
    kubeflow = {"webhook": {"secret": "chat", "key": "address"}}
    told = executor("notify", kubeflow)["secretAsEnv"]
    assert told[0]["keyToEnv"] == [{"envVar": "SEGPIPE_WEBHOOK", "secretKey": "address"}]
    assert "secretAsEnv" not in executor("trainer", kubeflow)


def test_a_sound_document_has_no_problem() -> None:
    assert list(platform_problems(small_platform(), small_spec())) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"enabledSharedMemory": {"size": "1Gi"}}, "enabledSharedMemory, which Kubeflow Pipelines 2.17 ignores"),
        ({"emptyDirMounts": [{"volumeName": "data", "mountPath": "/x"}]}, "two volumes of the name data"),
        ({"emptyDirMounts": [{"volumeName": "x", "mountPath": "/data"}]}, "two volumes at /data"),
        ({"emptyDirMounts": [{"volumeName": "x", "mountPath": "/s3/y"}]}, "mounts a volume at /s3/y"),
        ({"emptyDirMounts": [{"volumeName": "s3-scratch", "mountPath": "/x"}]}, "of the name s3-scratch"),
        ({"imagePullSecret": [{"secretNameParameter": constant("")}]}, "has an empty pull secret"),
        (
            {
                "secretAsEnv": [
                    {"secretNameParameter": constant("s"), "keyToEnv": [{"envVar": "KEY"}, {"envVar": "KEY"}]}
                ]
            },
            "the environment variable KEY twice",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_broken_document_is_refused_with_the_reason(change: dict[str, Any], words: str) -> None:
    platform = small_platform()
    platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]["exec-first"].update(change)
    with pytest.raises(UserError, match=rf"first: .*{words}"):
        check_platform(platform, small_spec())


def test_an_executor_that_no_task_has_is_refused() -> None:
    platform = small_platform()
    platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]["exec-third"] = {}
    with pytest.raises(UserError, match="third: the platform document has the executor 'exec-third'"):
        check_platform(platform, small_spec())
