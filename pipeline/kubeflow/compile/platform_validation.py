"""Validates a platform document against the rules of the driver, which creates pods from it.

The field names are those of kubernetes_platform/proto/kubernetes_executor_config.proto of kubeflow/pipelines 2.17;
an unknown one is refused by backend/src/v2/compiler/argocompiler/container.go, containerExecutorTask.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath

from pipeline.kubeflow.compile.spec_validation import Problem, refuse
from pipeline.kubeflow.json_types import Json

FIELDS = frozenset(
    {
        "secretAsVolume",
        "secretAsEnv",
        "pvcMount",
        "nodeSelector",
        "podMetadata",
        "imagePullSecret",
        "imagePullPolicy",
        "configMapAsVolume",
        "configMapAsEnv",
        "activeDeadlineSeconds",
        "fieldPathAsEnv",
        "tolerations",
        "genericEphemeralVolume",
        "nodeAffinity",
        "podAffinity",
        "emptyDirMounts",
        "securityContext",
    }
)
"""Fields of the format, without `enabledSharedMemory`, which nothing reads."""

TAKEN_MOUNTS = frozenset({"/kfp-launcher", "/gcs", "/s3", "/minio", "/.local", "/.cache", "/.config", "/kfp-workspace"})
"""Volumes that each step's pod has: backend/src/v2/compiler/argocompiler/container.go; the last from driver.go."""

TAKEN_VOLUMES = frozenset(
    {
        "kfp-launcher",
        "gcs-scratch",
        "s3-scratch",
        "minio-scratch",
        "dot-local-scratch",
        "dot-cache-scratch",
        "dot-config-scratch",
        "kfp-workspace",
        "ca-bundle",
    }
)
"""The names of these volumes."""


def check_platform(platform: Json, spec: Json) -> None:
    """Validates the platform document.

    Raises:
        UserError: a rule is broken; the text names each step and rule.
    """
    refuse(list(platform_problems(platform, spec)))


def platform_problems(platform: Json, spec: Json) -> Iterator[Problem]:
    """Yields everything that the driver would refuse, or that a pod cannot have."""
    known = spec["deploymentSpec"]["executors"]
    for label, executor in platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"].items():
        task = label.removeprefix("exec-")
        if label not in known:
            yield Problem(task, f"the platform document has the executor {label!r}, which does not exist")
            continue
        for rule in (_fields, _volumes, _mounts, _names, _variables):
            yield from (Problem(task, reason) for reason in rule(executor, known[label]["container"]))


def _fields(executor: Json, container: Json) -> Iterator[str]:
    for field in sorted(set(executor) - FIELDS):
        yield f"the platform document has {field}, which Kubeflow Pipelines 2.17 ignores"


def _volumes(executor: Json, container: Json) -> Iterator[str]:
    """Checks that volume names are unique in a pod (v2/driver/k8s.go, extendPodSpecPatch: claims are the names)."""
    names = Counter([_value(mount["pvcNameParameter"]) for mount in executor.get("pvcMount", [])])
    names.update(mount["volumeName"] for mount in executor.get("emptyDirMounts", []))
    for name, times in names.items():
        if times > 1:
            yield f"mounts two volumes of the name {name}, which no pod can have"
        if name in TAKEN_VOLUMES:
            yield f"mounts a volume of the name {name}, which Kubeflow Pipelines reserves"


def _mounts(executor: Json, container: Json) -> Iterator[str]:
    paths = [mount["mountPath"] for mount in (*executor.get("pvcMount", []), *executor.get("emptyDirMounts", []))]
    for path, times in Counter(paths).items():
        if times > 1:
            yield f"mounts two volumes at {path}, which no pod can have"
        if any(PurePosixPath(path).is_relative_to(taken) for taken in TAKEN_MOUNTS):
            yield f"mounts a volume at {path}, where Kubeflow Pipelines mounts its own"


def _names(executor: Json, container: Json) -> Iterator[str]:
    """Checks that names are not empty: v2/driver/resolve.go, resolveInputParameterStr."""
    parameters = [
        *(("claim", mount.get("pvcNameParameter")) for mount in executor.get("pvcMount", [])),
        *(("secret", secret.get("secretNameParameter")) for secret in executor.get("secretAsEnv", [])),
        *(("pull secret", secret.get("secretNameParameter")) for secret in executor.get("imagePullSecret", [])),
    ]
    yield from (f"has an empty {what}" for what, parameter in parameters if not _value(parameter or {}))


def _variables(executor: Json, container: Json) -> Iterator[str]:
    """Checks that environment variables are unique: of two with one name the last would count."""
    names = Counter(variable["name"] for variable in container.get("env", []))
    for secret in executor.get("secretAsEnv", []):
        names.update(key["envVar"] for key in secret["keyToEnv"])
    yield from (f"has the environment variable {name} twice" for name, times in names.items() if times > 1)


def _value(parameter: Json) -> str:
    return parameter.get("runtimeValue", {}).get("constant", "")
