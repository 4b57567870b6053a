from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.support.pod_security import violations

GOOD: dict[str, Any] = {
    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    "containers": [
        {"name": "a", "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}}
    ],
    "volumes": [{"name": "v", "emptyDir": {}}],
}


def test_a_pod_that_asks_for_nothing_is_admitted() -> None:
    assert violations(GOOD) == []


@pytest.mark.parametrize(
    ("where", "value", "told"),
    [
        (("hostNetwork",), True, "hostNetwork"),
        (("volumes", 0), {"name": "v", "hostPath": {"path": "/"}}, "volume v of type hostPath"),
        (("securityContext", "seccompProfile"), {}, "a: seccompProfile"),
        (("securityContext", "runAsNonRoot"), None, "a: runAsNonRoot"),
        (("containers", 0, "securityContext", "runAsUser"), 0, "a: runAsUser"),
        (("containers", 0, "securityContext", "runAsNonRoot"), False, "a: runAsNonRoot"),
        (("containers", 0, "securityContext", "allowPrivilegeEscalation"), None, "a: allowPrivilegeEscalation"),
        (("containers", 0, "securityContext", "privileged"), True, "a: privileged"),
        (("containers", 0, "securityContext", "capabilities"), {}, "a: capabilities"),
        (("containers", 0, "securityContext", "capabilities", "add"), ["SYS_ADMIN"], "a: capabilities"),
        (("containers", 0, "ports"), [{"containerPort": 80, "hostPort": 80}], "a: hostPort"),
    ],
)
def test_what_the_standard_forbids_is_named(where: tuple[str | int, ...], value: object, told: str) -> None:
    pod: Any = copy.deepcopy(GOOD)
    parent = pod
    for key in where[:-1]:
        parent = parent[key]
    parent[where[-1]] = value
    assert violations(pod) == [told]
