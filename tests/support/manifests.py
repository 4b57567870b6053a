"""The overlays of k8s/ as kustomize builds them: `kind` is k8s/overlays/kind, a name with a slash a path in k8s/."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

K8S = Path(__file__).resolve().parents[2] / "k8s"
OVERLAYS = tuple(sorted(path.parent.name for path in K8S.glob("overlays/*/kustomization.yaml")))
SERVING = tuple(sorted(str(path.parent.relative_to(K8S)) for path in K8S.glob("serving/overlays/*/kustomization.yaml")))

Manifest = dict[str, Any]


@functools.cache
def built(overlay: str) -> tuple[Manifest, ...]:
    """All objects of an overlay; skips the test where neither kustomize nor kubectl is installed."""
    if shutil.which("kustomize"):
        command = ["kustomize", "build"]
    elif shutil.which("kubectl"):
        command = ["kubectl", "kustomize"]
    else:
        pytest.skip("neither kustomize nor kubectl is installed")
    folder = K8S / overlay if "/" in overlay else K8S / "overlays" / overlay
    done = subprocess.run([*command, folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return tuple(yaml.safe_load_all(done.stdout))


def of_kind(overlay: str, kind: str) -> list[Manifest]:
    """The objects of one kind."""
    return [manifest for manifest in built(overlay) if manifest["kind"] == kind]


def named(overlay: str, kind: str, name: str) -> Manifest:
    """One object."""
    (found,) = (manifest for manifest in of_kind(overlay, kind) if manifest["metadata"]["name"] == name)
    return found


def pod_specs(overlay: str) -> Iterator[tuple[str, Manifest]]:
    """Every pod that an object describes, with the object's name."""
    for manifest in built(overlay):
        spec = manifest.get("spec", {})
        if manifest["kind"] == "CronJob":
            spec = spec["jobTemplate"]["spec"]
        if "template" in spec:
            yield manifest["metadata"]["name"], spec["template"]["spec"]
        elif manifest["kind"] == "Pod":
            yield manifest["metadata"]["name"], spec


def built_with(*components: str, folder: Path) -> tuple[Manifest, ...]:
    """The manifests of the base with components of k8s/components, by an overlay that is written to `folder`."""
    up = os.path.relpath(K8S, folder)
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": "kubeflow",
        "resources": [f"{up}/base"],
        "components": [f"{up}/components/{name}" for name in components],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return built(str(folder))
