"""The Pod Security Standard "restricted", for pods of Linux: https://kubernetes.io/docs/concepts/security/pod-security-standards/."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_VOLUMES = frozenset(
    {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
)


def violations(pod: dict[str, Any]) -> list[str]:
    """What the standard forbids in a pod's spec; nothing: the pod is admitted."""
    return [*_of_pod(pod), *(found for container in _containers(pod) for found in _of_container(pod, container))]


def _containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    kinds = ("initContainers", "containers", "ephemeralContainers")
    return [container for kind in kinds for container in pod.get(kind, [])]


def _of_pod(pod: dict[str, Any]) -> Iterator[str]:
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(key):
            yield key
    for volume in pod.get("volumes", []):
        for kind in set(volume) - {"name"} - _VOLUMES:
            yield f"volume {volume['name']} of type {kind}"
    if pod.get("securityContext", {}).get("sysctls"):
        yield "sysctls"


def _of_container(pod: dict[str, Any], container: dict[str, Any]) -> Iterator[str]:
    name, own, common = container["name"], container.get("securityContext", {}), pod.get("securityContext", {})
    both = {**common, **own}
    if own.get("privileged"):
        yield f"{name}: privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield f"{name}: allowPrivilegeEscalation"
    if both.get("runAsNonRoot") is not True:
        yield f"{name}: runAsNonRoot"
    if both.get("runAsUser") == 0:
        yield f"{name}: runAsUser"
    if both.get("seccompProfile", {}).get("type") not in {"RuntimeDefault", "Localhost"}:
        yield f"{name}: seccompProfile"
    capabilities = own.get("capabilities", {})
    if "ALL" not in capabilities.get("drop", []) or set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"}:
        yield f"{name}: capabilities"
    if any("hostPort" in port for port in container.get("ports", [])):
        yield f"{name}: hostPort"
