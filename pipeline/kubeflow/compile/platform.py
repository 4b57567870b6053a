"""Platform document: Kubernetes settings of each task, as `KubernetesExecutorConfig` of Kubeflow Pipelines.

Fields and their meaning: kubernetes_platform/proto/kubernetes_executor_config.proto and
backend/src/v2/driver/k8s.go, extendPodSpecPatch, of kubeflow/pipelines.
"""

from __future__ import annotations

from common.webhook import WEBHOOK_VARIABLE
from pipeline.config.run_config import RunConfig
from pipeline.dag.steps import FOLD_TRAINERS, TRAINER
from pipeline.kubeflow.compile.paths import mounts
from pipeline.kubeflow.config import StepOptions, Toleration
from pipeline.kubeflow.json_types import Json
from pipeline.kubeflow.names import NOTIFY

_TRAINING_TASKS = frozenset(step.task for step in (TRAINER, *FOLD_TRAINERS))


def platform_spec(config: RunConfig, tasks: list[str]) -> Json:
    """Returns the platform document.

    Args:
        config: With the cluster's paths, as `paths.on_cluster` returns it.
        tasks: The tasks that run a container.

    Raises:
        UserError: a task needs a path that is on none of its volumes.
    """
    executors = {f"exec-{task}": _executor(config, task) for task in tasks}
    return {"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}}


def _executor(config: RunConfig, task: str) -> Json:
    options = config.kubeflow.options_of(task)
    parts: Json = {
        "activeDeadlineSeconds": options.timeout_minutes and options.timeout_minutes * 60,
        "emptyDirMounts": _empty_folders(options),
        "imagePullSecret": [{"secretNameParameter": _constant(name)} for name in config.kubeflow.pull_secrets],
        "nodeSelector": options.node_selector and {"labels": options.node_selector},
        "pvcMount": [
            {"mountPath": volume.mount, "pvcNameParameter": _constant(volume.claim)}
            for volume in mounts(config, task, options)
        ],
        "secretAsEnv": _secrets(config, task, options),
        "securityContext": {"runAsNonRoot": True},
        "tolerations": [one.model_dump(exclude_none=True) for one in _tolerations(config, task, options)],
    }
    return {key: value for key, value in parts.items() if value}


def _tolerations(config: RunConfig, task: str, options: StepOptions) -> tuple[Toleration, ...]:
    """Returns the configured tolerations; by default, for a step with devices, the taint that node pools use for them.

    Workers of the Trainer take the tolerations of its step.
    """
    if options.tolerations is not None:
        return options.tolerations
    workers = config.kubeflow.workers if task in _TRAINING_TASKS else None
    devices = options.accelerator or (workers and workers.accelerator)
    return (Toleration(key=devices.resource, effect="NoSchedule"),) if devices else ()


def _empty_folders(options: StepOptions) -> list[Json]:
    """Returns scratch folders, because the root file system is read-only, and shared memory.

    The format has a field of its own for shared memory, `enabledSharedMemory`, which the driver of 2.17 does not read.
    """
    folders: list[Json] = [{"volumeName": "scratch", "mountPath": "/tmp"}]  # noqa: S108  # In the pod.
    if options.shared_memory:
        size = options.shared_memory
        folders.append({"volumeName": "shm", "mountPath": "/dev/shm", "medium": "Memory", "sizeLimit": size})  # noqa: S108
    return folders


def _secrets(config: RunConfig, task: str, options: StepOptions) -> list[Json]:
    secrets = dict(options.secrets or {})
    if task == NOTIFY and config.kubeflow.webhook is not None:
        secrets[WEBHOOK_VARIABLE] = config.kubeflow.webhook
    return [
        {
            "secretNameParameter": _constant(secret.secret),
            "keyToEnv": [{"envVar": variable, "secretKey": secret.key}],
            "optional": False,
        }
        for variable, secret in sorted(secrets.items())
    ]


def _constant(value: str) -> Json:
    return {"runtimeValue": {"constant": value}}
