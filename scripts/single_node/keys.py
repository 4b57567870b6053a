"""The authority, and the certificates by which the programs know each other."""

from __future__ import annotations

import json
from pathlib import Path

from .network import API, NODE
from .places import INSIDE, Places
from .shell import run

NODE_NAME = "segpipe"
SERVER = f"https://{NODE}:6443"
# Name → subject, by which Kubernetes' own roles know who it is.
CLIENTS = {
    "admin": "/O=system:masters/CN=admin",
    "kube-controller-manager": "/CN=system:kube-controller-manager",
    "kube-scheduler": "/CN=system:kube-scheduler",
    "kube-proxy": "/CN=system:kube-proxy",
    "kubelet": f"/O=system:nodes/CN=system:node:{NODE_NAME}",
    "apiserver-kubelet": "/O=system:masters/CN=apiserver-kubelet",
}
_CA_USAGE = "critical,digitalSignature,keyCertSign,cRLSign"  # Python 3.13 trusts no authority that does not say.
_NAMES = (
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    "localhost",
)


def make_keys(places: Places) -> None:
    """Makes what is not there yet."""
    folder = places.run / "pki"
    if (folder / "done").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    ca = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", 365, "-subj", "/CN=segpipe-cluster")
    run("openssl", *ca, "-addext", f"keyUsage={_CA_USAGE}", "-keyout", folder / "ca.key", "-out", folder / "ca.crt")
    run("openssl", "genrsa", "-out", folder / "accounts.key", 2048)
    run("openssl", "rsa", "-in", folder / "accounts.key", "-pubout", "-out", folder / "accounts.pub")
    names = ",".join([*(f"DNS:{name}" for name in _NAMES), f"IP:{API}", f"IP:{NODE}", "IP:127.0.0.1"])
    _sign(folder, "apiserver", "/CN=kube-apiserver", f"subjectAltName={names}")
    for name, subject in CLIENTS.items():
        _sign(folder, name, subject, "extendedKeyUsage=clientAuth")
        _write_kubeconfig(places, name)
    (folder / "done").touch()


def _sign(folder: Path, name: str, subject: str, extension: str) -> None:
    request = ("req", "-newkey", "rsa:2048", "-nodes", "-subj", subject, "-keyout", folder / f"{name}.key")
    run("openssl", *request, "-out", folder / f"{name}.csr")
    (folder / f"{name}.ext").write_text(f"{extension}\nauthorityKeyIdentifier=keyid\n")
    signed = ("x509", "-req", "-days", 365, "-in", folder / f"{name}.csr", "-extfile", folder / f"{name}.ext")
    authority = ("-CA", folder / "ca.crt", "-CAkey", folder / "ca.key", "-CAcreateserial")
    run("openssl", *signed, *authority, "-out", folder / f"{name}.crt")


def _write_kubeconfig(places: Places, name: str) -> None:
    """The administrator's works on this machine; the others as the cluster's programs see the folders."""
    admin = name == "admin"
    folder = (places.run if admin else INSIDE) / "pki"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "segpipe", "cluster": {"server": SERVER, "certificate-authority": f"{folder}/ca.crt"}}],
        "users": [
            {"name": name, "user": {"client-certificate": f"{folder}/{name}.crt", "client-key": f"{folder}/{name}.key"}}
        ],
        "contexts": [{"name": name, "context": {"cluster": "segpipe", "user": name}}],
        "current-context": name,
    }
    path = places.kubeconfig if admin else places.run / "pki" / f"{name}.kubeconfig"
    path.write_text(json.dumps(config))
    path.chmod(0o600)
