"""Kubernetes manifests of several Trainer pods: an Indexed Job and a headless Service, derived from the step's pod.

Plain dictionaries.  The pods are copies of the step's pod, without what Kubeflow's launcher and Argo add to it
(backend/src/v2/compiler/argocompiler/container.go of kubeflow/pipelines), so they have
everything that the configuration gives the step (secrets, volumes, nodes, scratch, security).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pipeline.kubeflow.config import Accelerator
from pipeline.kubeflow.json_types import Json

PORT = 2222
CONTAINER = "worker"
NAME_LABEL = "segpipe/training"
LEASE_SECONDS = 900
"""Time until the pods end if the step that waits for them is gone; the step extends it while it runs."""

_STEP_CONTAINER = "main"  # Argo's name for it.
_LABELS = {"app.kubernetes.io/name": "segpipe", "app.kubernetes.io/component": "worker"}
_KEPT_LABELS = ("pipeline/runid",)
_KEPT_OF_POD = (
    "affinity",
    "dnsConfig",
    "dnsPolicy",
    "enableServiceLinks",
    "hostAliases",
    "hostUsers",
    "imagePullSecrets",
    "nodeSelector",
    "priorityClassName",
    "runtimeClassName",
    "schedulerName",
    "securityContext",
    "terminationGracePeriodSeconds",
    "tolerations",
)
_KEPT_OF_CONTAINER = ("image", "imagePullPolicy", "resources", "securityContext", "workingDir")
_FOREIGN_VOLUMES = {
    *("kfp-launcher", "gcs-scratch", "s3-scratch", "minio-scratch"),
    *("dot-local-scratch", "dot-cache-scratch", "dot-config-scratch"),
    *("var-run-argo", "tmp-dir-argo"),
}
_FOREIGN_VARIABLES = ("ARGO_", "KFP_", "SEGPIPE_WORKERS")
_FOREIGN_CONFIG = "metadata-grpc-configmap"


class Training(NamedTuple):
    """Distributed training of a step."""

    name: str
    """Name of the Job and of the Service; a DNS label that leaves room for `-<index>`."""
    workers: int
    command: Sequence[str]
    service_account: str
    accelerator: Accelerator | None = None
    """Accelerator of each pod, in place of the step's."""

    @property
    def addresses(self) -> list[str]:
        """Addresses of the workers: an Indexed Job's pods are called `<job>-<index>`."""
        return [f"{self.name}-{index}.{self.name}:{PORT}" for index in range(self.workers)]

    @property
    def selector(self) -> str:
        """Label selector of its pods."""
        return f"{NAME_LABEL}={self.name}"


def worker_job(pod: Json, training: Training) -> Json:
    """Returns the Job, owned by the step's `pod`.

    If one pod fails, the Job fails, and no pod is restarted: the others cannot continue without it.  Instead the step
    is retried, and resumes the training from `kubeflow.resume_dir`.
    """
    labels = _labels(pod, training)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": training.name, "labels": labels, "ownerReferences": [_owner(pod)]},
        "spec": {
            "completionMode": "Indexed",
            "completions": training.workers,
            "parallelism": training.workers,
            "backoffLimit": 0,
            "activeDeadlineSeconds": LEASE_SECONDS,
            "ttlSecondsAfterFinished": 600,
            "template": {
                # A service mesh would intercept the workers' traffic, and its sidecar would never end.
                "metadata": {"labels": {**labels, "sidecar.istio.io/inject": "false"}},
                "spec": _pod_spec(pod["spec"], training),
            },
        },
    }


def worker_service(pod: Json, training: Training) -> Json:
    """Returns the Service that gives each worker a DNS name, even before it is ready; owned by the step's `pod`."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": training.name,
            "labels": _labels(pod, training),
            "ownerReferences": [_owner(pod)],
        },
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": {NAME_LABEL: training.name},
            "ports": [{"name": "grpc", "port": PORT}],
        },
    }


def _labels(pod: Json, training: Training) -> Json:
    own = pod["metadata"].get("labels") or {}
    return {**{key: own[key] for key in _KEPT_LABELS if key in own}, **_LABELS, NAME_LABEL: training.name}


def _owner(pod: Json) -> Json:
    """Returns the owner reference: Kubernetes deletes the objects with the step's pod if the step did not."""
    return {"apiVersion": "v1", "kind": "Pod", "name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]}


def _pod_spec(spec: Json, training: Training) -> Json:
    volumes = [volume for volume in spec.get("volumes") or [] if not _is_foreign(volume["name"])]
    return {
        **{key: spec[key] for key in _KEPT_OF_POD if key in spec},
        "serviceAccountName": training.service_account,
        "automountServiceAccountToken": False,
        "restartPolicy": "Never",
        "subdomain": training.name,
        "volumes": volumes,
        "containers": [_container(_step_container(spec), {volume["name"] for volume in volumes}, training)],
    }


def _step_container(spec: Json) -> Json:
    named = [container for container in spec["containers"] if container["name"] == _STEP_CONTAINER]
    return (named or spec["containers"])[0]


def _container(own: Json, volumes: set[str], training: Training) -> Json:
    container = {key: own[key] for key in _KEPT_OF_CONTAINER if key in own}
    if training.accelerator:
        container["resources"] = _with_devices(container.get("resources") or {}, training.accelerator)
    return {
        **container,
        "name": CONTAINER,
        "command": list(training.command),
        "env": [entry for entry in own.get("env") or [] if not entry["name"].startswith(_FOREIGN_VARIABLES)],
        "envFrom": [entry for entry in own.get("envFrom") or [] if _config_map(entry) != _FOREIGN_CONFIG],
        "volumeMounts": [mount for mount in own.get("volumeMounts") or [] if mount["name"] in volumes],
        "ports": [{"name": "grpc", "containerPort": PORT}],
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def _with_devices(resources: Json, accelerator: Accelerator) -> Json:
    devices = {accelerator.resource: str(accelerator.count)}
    return {**resources, **{kind: {**(resources.get(kind) or {}), **devices} for kind in ("limits", "requests")}}


def _is_foreign(volume: str) -> bool:
    return volume in _FOREIGN_VOLUMES or volume.startswith("kube-api-access-")


def _config_map(entry: Json) -> str | None:
    return (entry.get("configMapRef") or {}).get("name")
