"""The command line of `scripts/cluster`."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from .cluster import Cluster
from .errors import ClusterError
from .places import find_places
from .programs import ORDER

_HELP = """A Kubernetes 1.34.2 of one node on this machine: etcd, API server, controllers, scheduler,
kubelet, kube-proxy, coredns and local-path-provisioner from Go modules; containerd, runc, CNI
plug-ins, nft and busybox from Debian."""
_AFTER = """All of it is in namespaces and control groups of its own; of this machine it changes one
interface, segpipe-node, and its routes. State is in build/cluster (SEGPIPE_CLUSTER), programs in
build/kubernetes (SEGPIPE_KUBERNETES). `stop` leaves there what was built (build/kubernetes) and
unpacked (build/cluster/debian), and nothing else. It needs root, Linux, and for the first start Go
and half an hour."""


def main(arguments: Sequence[str]) -> int:
    """Does what the command line says; the exit status."""
    is_kubectl = arguments[:1] == ["kubectl"]  # All that follows is kubectl's own, options that come first too.
    given = _parser().parse_args(arguments[:1] if is_kubectl else arguments)
    try:
        cluster = Cluster(find_places())
        if given.command == "init":
            cluster.sandbox.become_init()
        if given.command == "kubectl":
            command = cluster.kubectl(*arguments[1:])
            os.execv(command[0], command)  # noqa: S606
        return _do(cluster, given)
    except ClusterError as error:
        print(f"cluster: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("cluster: interrupted; `scripts/cluster stop` removes what is there", file=sys.stderr)
        return 130


def _do(cluster: Cluster, given: argparse.Namespace) -> int:
    if given.command == "status":
        found = cluster.status()
        for name, running in found.items():
            print(f"{name:24} {'running' if running else 'not running'}")
        return 0 if all(found.values()) else 3
    with cluster.alone():
        if given.command == "start":
            cluster.start(given.memory)
            print(f"export KUBECONFIG={cluster.places.kubeconfig}")
        elif given.command == "stop":
            cluster.stop()
        elif given.command == "restart":
            cluster.restart(given.program)
        elif given.command == "load":
            print(cluster.load(given.archive), end="")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "scripts/cluster", description=_HELP, epilog=_AFTER, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    start = commands.add_parser("start", help="start what does not run, and wait until pods can")
    start.add_argument("--memory", type=_mebibytes, metavar="4Gi", help="what pods may ask for together (default: all)")
    commands.add_parser("stop", help="end everything and remove what it wrote")
    commands.add_parser("status", help="say what runs; status 3 if something does not")
    load = commands.add_parser("load", help="load an image, from an archive as `docker save` writes it")
    load.add_argument("archive", type=Path, metavar="IMAGE_TAR")
    restart = commands.add_parser("restart", help="end one program and start it again")
    restart.add_argument("program", metavar="PROGRAM", help=", ".join(ORDER))
    commands.add_parser("kubectl", help="kubectl on this cluster", add_help=False)
    commands.add_parser("init")
    return parser


def _mebibytes(text: str) -> int:
    found = re.fullmatch(r"(\d+)(Mi|Gi)", text)
    if not found:
        raise argparse.ArgumentTypeError(f"'{text}' is not a size such as 4Gi or 512Mi")
    return int(found[1]) * (1024 if found[2] == "Gi" else 1)
