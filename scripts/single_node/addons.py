"""What runs in the cluster itself: names of services, and volumes of this machine's disk, as kind has them."""

from __future__ import annotations

from typing import Any

from .network import DNS
from .places import INSIDE

COREDNS_IMAGE, PROVISIONER_IMAGE, SHELL_IMAGE = (
    f"segpipe.local/{name}:1" for name in ("coredns", "local-path-provisioner", "busybox")
)
_STORAGE = "local-path-storage"
_COREFILE = """.:53 {
  errors
  health
  ready
  kubernetes cluster.local in-addr.arpa ip6.arpa {
    pods insecure
    fallthrough in-addr.arpa ip6.arpa
  }
  cache 30
  reload
}
"""
Json = dict[str, Any]


def objects() -> list[Json]:
    """All of them."""
    return [*_names(), *_volumes()]


def _object(kind: str, name: str, namespace: str = "", api: str = "v1", **content: Any) -> Json:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **content}


def _account(name: str, namespace: str, rules: list[Json]) -> list[Json]:
    rbac = "rbac.authorization.k8s.io"
    subject = {"kind": "ServiceAccount", "name": name, "namespace": namespace}
    role = {"apiGroup": rbac, "kind": "ClusterRole", "name": name}
    return [
        _object("ServiceAccount", name, namespace),
        _object("ClusterRole", name, api=f"{rbac}/v1", rules=rules),
        _object("ClusterRoleBinding", name, api=f"{rbac}/v1", roleRef=role, subjects=[subject]),
    ]


def _rule(groups: str, resources: str, verbs: str) -> Json:
    return {"apiGroups": groups.split(","), "resources": resources.split(), "verbs": verbs.split()}


def _deployment(name: str, namespace: str, labels: Json, pod: Json) -> Json:
    template = {"metadata": {"labels": labels}, "spec": {"serviceAccountName": name, **pod}}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    return _object("Deployment", name, namespace, "apps/v1", spec=spec)


def _names() -> list[Json]:
    labels = {"k8s-app": "kube-dns"}
    settings = {"name": "settings", "configMap": {"name": "coredns"}}
    container = {
        "name": "coredns",
        "image": COREDNS_IMAGE,
        "imagePullPolicy": "Never",
        "args": ["-conf", "/etc/coredns/Corefile"],
        "resources": {"requests": {"cpu": "50m", "memory": "70Mi"}},
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 2},
        "volumeMounts": [{"name": "settings", "mountPath": "/etc/coredns", "readOnly": True}],
    }
    ports = [{"name": f"dns-{protocol.lower()}", "port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")]
    rules = [
        _rule("", "endpoints services pods namespaces", "list watch"),
        _rule("discovery.k8s.io", "endpointslices", "list watch"),
    ]
    return [
        *_account("coredns", "kube-system", rules),
        _object("ConfigMap", "coredns", "kube-system", data={"Corefile": _COREFILE}),
        _deployment(
            "coredns", "kube-system", labels, {"containers": [container], "dnsPolicy": "Default", "volumes": [settings]}
        ),
        _object("Service", "kube-dns", "kube-system", spec={"clusterIP": DNS, "selector": labels, "ports": ports}),
    ]


def _volumes() -> list[Json]:
    labels = {"app": "local-path-provisioner"}
    variable = {"name": "POD_NAMESPACE", "value": _STORAGE}
    container = {
        "name": "provisioner",
        "image": PROVISIONER_IMAGE,
        "imagePullPolicy": "Never",
        "args": ["start", "--config", "/etc/config/config.json", "--service-account-name", "local-path-provisioner"],
        "env": [variable, {"name": "CONFIG_MOUNT_PATH", "value": "/etc/config/"}],
        "volumeMounts": [{"name": "settings", "mountPath": "/etc/config/"}],
    }
    settings = {"name": "settings", "configMap": {"name": "local-path-config"}}
    rules = [
        _rule("", "nodes persistentvolumeclaims configmaps pods pods/log", "get list watch"),
        _rule("", "persistentvolumes", "get list watch create patch update delete"),
        _rule("", "events", "create patch"),
        _rule("", "pods", "create delete"),
        _rule("storage.k8s.io", "storageclasses", "get list watch"),
        _rule("", "endpoints", "get list watch create update patch"),
        _rule("coordination.k8s.io", "leases", "get list watch create update patch"),
    ]
    is_default = {"storageclass.kubernetes.io/is-default-class": "true"}
    return [
        _object("Namespace", _STORAGE),
        *_account("local-path-provisioner", _STORAGE, rules),
        _object("ConfigMap", "local-path-config", _STORAGE, data=_provisioners_files()),
        _deployment("local-path-provisioner", _STORAGE, labels, {"containers": [container], "volumes": [settings]}),
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": "standard", "annotations": is_default},
            "provisioner": "rancher.io/local-path",
            "volumeBindingMode": "WaitForFirstConsumer",
            "reclaimPolicy": "Delete",
        },
    ]


def _provisioners_files() -> dict[str, str]:
    """In the provisioner's own words: a folder a volume, made and removed by a pod that runs these lines."""
    place = f'{{"nodePathMap": [{{"node": "DEFAULT_PATH_FOR_NON_LISTED_NODES", "paths": ["{INSIDE}/volumes"]}}]}}'
    pod = f"""apiVersion: v1
kind: Pod
metadata: {{name: helper-pod}}
spec:
  containers:
    - {{name: helper-pod, image: "{SHELL_IMAGE}", imagePullPolicy: Never}}
"""
    return {
        "config.json": place,
        "helperPod.yaml": pod,
        "setup": '#!/bin/sh\nset -eu\nmkdir -m 0777 -p "$VOL_DIR"\n',
        "teardown": '#!/bin/sh\nset -eu\nrm -rf "$VOL_DIR"\n',
    }
