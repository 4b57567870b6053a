"""Kubernetes' own API server, with etcd and nothing else: it checks, admits and stores objects, and runs none."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

PROGRAMS = Path(os.environ.get("SEGPIPE_KUBERNETES") or Path(__file__).resolve().parents[2] / "build" / "kubernetes")
_STARTS_WITHIN_SECONDS = 120


def is_built() -> bool:
    """Whether `scripts/kubernetes-programs etcd kube-apiserver` has been run."""
    return all((PROGRAMS / name).exists() for name in ("etcd", "kube-apiserver"))


class ApiServer:
    """A running one."""

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig

    def kubectl(self, *arguments: object, stdin: str | None = None, check: bool = True) -> str:
        """What kubectl says, warnings included."""
        done = subprocess.run(
            ["kubectl", "--kubeconfig", self.kubeconfig, *map(str, arguments)],
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0 or not check, done.stdout
        return done.stdout

    def create(self, manifest: dict[str, Any], *, check: bool = True) -> str:
        """Creates an object and gives back what kubectl says."""
        return self.kubectl("create", "-o", "json", "-f", "-", stdin=json.dumps(manifest), check=check)

    def may(self, account: str, verb: str, resource: str, name: str = "", namespace: str = "kubeflow") -> bool:
        """Whether a service account has a right; `resource` as in `jobs.batch` or `pods/log`."""
        path, _, subresource = resource.partition("/")
        plural, _, group = path.partition(".")
        attributes = {"namespace": namespace, "verb": verb, "group": group, "resource": plural, "name": name}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": f"system:serviceaccount:kubeflow:{account}",
                "resourceAttributes": {**attributes, "subresource": subresource},
            },
        }
        return bool(json.loads(self.create(review))["status"]["allowed"])


@contextlib.contextmanager
def running_api_server(folder: Path) -> Iterator[ApiServer]:
    """Starts both programs with all state below `folder`, and ends them."""
    etcd, peers, api = _free_ports(3)
    token = secrets.token_hex(16)
    (folder / "tokens.csv").write_text(f"{token},admin,admin,system:masters\n")
    _make_key(folder)
    with contextlib.ExitStack() as programs:
        programs.enter_context(_program(folder, "etcd", _etcd_arguments(folder, etcd, peers)))
        programs.enter_context(_program(folder, "kube-apiserver", _api_arguments(folder, etcd, api)))
        server = ApiServer(_write_kubeconfig(folder, api, token))
        _wait(server, folder)
        yield server


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as sockets:
        opened = [sockets.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in opened]


def _make_key(folder: Path) -> None:
    for line in ("genrsa -out key", "rsa -in key -pubout -out key.pub"):
        subprocess.run(["openssl", *line.split()], cwd=folder, check=True, capture_output=True)


def _etcd_arguments(folder: Path, port: int, peers: int) -> list[str]:
    here, there = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peers}"
    return [
        *(f"--data-dir={folder / 'etcd'}", "--unsafe-no-fsync", f"--initial-cluster=default={there}"),
        *(f"--listen-client-urls={here}", f"--advertise-client-urls={here}"),
        *(f"--listen-peer-urls={there}", f"--initial-advertise-peer-urls={there}"),
    ]


def _api_arguments(folder: Path, etcd: int, port: int) -> list[str]:
    return [
        *(f"--etcd-servers=http://127.0.0.1:{etcd}", "--bind-address=127.0.0.1", f"--secure-port={port}"),
        *(f"--cert-dir={folder}", f"--token-auth-file={folder / 'tokens.csv'}", "--authorization-mode=RBAC"),
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={folder / 'key.pub'}",
        f"--service-account-signing-key-file={folder / 'key'}",
    ]


@contextlib.contextmanager
def _program(folder: Path, name: str, arguments: Sequence[str]) -> Iterator[None]:
    with (folder / f"{name}.log").open("w") as log:
        process = subprocess.Popen([PROGRAMS / name, *arguments], stdout=log, stderr=subprocess.STDOUT, cwd=folder)
        try:
            yield
        finally:
            process.terminate()
            process.wait(timeout=60)


def _write_kubeconfig(folder: Path, port: int, token: str) -> Path:
    cluster = {"server": f"https://127.0.0.1:{port}", "insecure-skip-tls-verify": True}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "test", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "current-context": "test",
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return path


def _wait(server: ApiServer, folder: Path) -> None:
    deadline = time.monotonic() + _STARTS_WITHIN_SECONDS
    while "kube-system" not in server.kubectl("get", "namespaces", check=False):
        assert time.monotonic() < deadline, (folder / "kube-apiserver.log").read_text()[-2000:]
        time.sleep(1)
