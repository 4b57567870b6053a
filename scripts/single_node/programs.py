"""The programs of the cluster: their settings, their order, and how each is known to be running."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import packages
from .keys import NODE_NAME
from .network import DNS, NODE, PODS, SERVICES
from .places import INSIDE, Places
from .sandbox import Sandbox
from .shell import succeeds, wait

BUILT = (
    *("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet", "kubectl"),
    *("pause", "coredns", "local-path-provisioner"),
)
ORDER = ("etcd", "containerd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")
PAUSE_IMAGE = "segpipe.local/pause:1"
_ETCD = "http://127.0.0.1:2379"
_PKI = INSIDE / "pki"
_SOCKET = "/run/containerd/containerd.sock"
_READY = {  # Asked in the namespaces; containerd is asked by its own client.
    "etcd": f"{_ETCD}/health",
    "kube-apiserver": "https://127.0.0.1:6443/readyz",
    "kube-controller-manager": "https://127.0.0.1:10257/healthz",
    "kube-scheduler": "https://127.0.0.1:10259/healthz",
    "kubelet": "http://127.0.0.1:10248/healthz",
    "kube-proxy": "http://127.0.0.1:10256/healthz",
}
_ASK = """import ssl, sys, urllib.request
urllib.request.urlopen(sys.argv[1], timeout=5, context=ssl._create_unverified_context())"""


class Programs:
    """The programs in a sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox, self.places = sandbox, sandbox.places

    def start(self, name: str) -> None:
        """Starts one, if it does not run, and waits until it answers.

        Raises:
            ClusterError: It does not answer in time.
        """
        if self.sandbox.pid(name) is None:
            self.sandbox.spawn(name, [self._path(name), *_arguments(name)], packages.environment(self.places))
        log = self.places.logs / f"{name}.log"
        wait(f"{name} did not answer", lambda: self._answers(name), 180, look=str(log))

    def stop(self, name: str) -> None:
        """Ends one."""
        self.sandbox.end(name)

    def at_work(self, name: str) -> bool:
        """Whether it runs and answers."""
        return self.sandbox.pid(name) is not None and self._answers(name)

    def ctr(self, *words: object) -> tuple[str, ...]:
        """The command line of containerd's own client, for the images that Kubernetes sees."""
        program = packages.program(self.places, "usr/bin/ctr")
        return self.sandbox.inside(program, "--address", _SOCKET, "--namespace", "k8s.io", *words)

    def _path(self, name: str) -> Path:
        return (
            packages.program(self.places, "usr/bin/containerd") if name == "containerd" else self.places.programs / name
        )

    def _answers(self, name: str) -> bool:
        if self.sandbox.pid(name) is None:
            return False
        ask = ("-I", "-c", _ASK, _READY[name]) if name in _READY else ()
        return succeeds(*(self.sandbox.inside(sys.executable, *ask) if ask else self.ctr("version")))


def write_settings(places: Places, memory: int | None) -> bool:
    """Writes the files that the programs read; whether those of the kubelet are others than before.

    Args:
        places: Where to.
        memory: How much of it pods may ask for, in MiB; all that the machine has if not given.
    """
    files: Mapping[str, Any] = {
        "kubelet.json": _kubelet(memory),
        "kube-proxy.json": _kube_proxy(),
        "cni/10-segpipe.conflist": _cni(),
    }
    before = places.run / "kubelet.json"
    was = before.read_text() if before.exists() else ""
    for name, content in files.items():
        path = places.run / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content, indent=1))
    (places.run / "resolv.conf").write_text("")
    (places.run / "containerd.toml").write_text(_containerd(places))
    return before.read_text() != was


def _arguments(name: str) -> list[str]:
    options: dict[str, dict[str, object]] = {
        "etcd": {
            "data-dir": INSIDE / "etcd",
            "unsafe-no-fsync": "true",
            "listen-client-urls": _ETCD,
            "advertise-client-urls": _ETCD,
        },
        "containerd": {"config": INSIDE / "containerd.toml"},
        "kube-apiserver": _api_server(),
        "kube-controller-manager": {
            "kubeconfig": _PKI / "kube-controller-manager.kubeconfig",
            "root-ca-file": _PKI / "ca.crt",
            "service-account-private-key-file": _PKI / "accounts.key",
            "use-service-account-credentials": "true",
            "cluster-cidr": PODS,
            "allocate-node-cidrs": "true",
            "leader-elect": "false",
        },
        "kube-scheduler": {"kubeconfig": _PKI / "kube-scheduler.kubeconfig", "leader-elect": "false"},
        "kubelet": {
            "config": INSIDE / "kubelet.json",
            "kubeconfig": _PKI / "kubelet.kubeconfig",
            "root-dir": INSIDE / "kubelet",
            "hostname-override": NODE_NAME,
            "node-ip": NODE,
        },
        "kube-proxy": {"config": INSIDE / "kube-proxy.json"},
    }
    return [f"--{option}={value}" for option, value in options[name].items()]


def _api_server() -> dict[str, object]:
    return {
        "etcd-servers": _ETCD,
        "advertise-address": NODE,
        "bind-address": "0.0.0.0",  # noqa: S104  # In a network namespace of its own.
        "service-cluster-ip-range": SERVICES,
        "allow-privileged": "true",
        "authorization-mode": "Node,RBAC",
        "enable-admission-plugins": "NodeRestriction",
        "client-ca-file": _PKI / "ca.crt",
        "tls-cert-file": _PKI / "apiserver.crt",
        "tls-private-key-file": _PKI / "apiserver.key",
        "kubelet-client-certificate": _PKI / "apiserver-kubelet.crt",
        "kubelet-client-key": _PKI / "apiserver-kubelet.key",
        "kubelet-preferred-address-types": "InternalIP",
        "service-account-issuer": "https://kubernetes.default.svc",
        "service-account-key-file": _PKI / "accounts.pub",
        "service-account-signing-key-file": _PKI / "accounts.key",
    }


def _kubelet(memory: int | None) -> dict[str, Any]:
    reserved = {} if memory is None else {"memory": f"{max(0, _machines_memory() - memory)}Mi"}
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": NODE,
        "authentication": {"anonymous": {"enabled": False}, "x509": {"clientCAFile": str(_PKI / "ca.crt")}},
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "clusterDNS": [DNS],
        "clusterDomain": "cluster.local",
        "containerRuntimeEndpoint": f"unix://{_SOCKET}",
        # Of this machine's disk it is a guest; the defaults are parts of the whole.
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1Gi", "imagefs.available": "1Gi"},
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "failSwapOn": False,
        "failCgroupV1": False,
        "resolvConf": str(INSIDE / "resolv.conf"),
        "serializeImagePulls": False,
        "systemReserved": reserved,
        "volumePluginDir": str(INSIDE / "volume-plugins"),
    }


def _machines_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20


def _kube_proxy() -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "bindAddress": NODE,
        "clientConnection": {"kubeconfig": str(_PKI / "kube-proxy.kubeconfig")},
        "clusterCIDR": PODS,
        # Those of connection tracking are the whole machine's.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        "healthzBindAddress": "127.0.0.1:10256",
        "hostnameOverride": NODE_NAME,
        "mode": "nftables",
    }


def _cni() -> dict[str, Any]:
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "dataDir": "/run/cni",
            "ranges": [[{"subnet": PODS.replace("/16", "/24")}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    return {"cniVersion": "1.0.0", "name": "segpipe", "plugins": [bridge]}


def _containerd(places: Places) -> str:
    return f"""version = 2
root = "{INSIDE}/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.devmapper"]
[grpc]
  address = "{_SOCKET}"
[plugins."io.containerd.internal.v1.opt"]
  path = "{INSIDE}/containerd-opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{places.debian}/usr/lib/cni"
    conf_dir = "{INSIDE}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      BinaryName = "{packages.program(places, "usr/sbin/runc")}"
      SystemdCgroup = false
"""
