"""The network: a namespace that is joined to this machine by one pair of interfaces, and to nothing else."""

from __future__ import annotations

from .errors import ClusterError
from .shell import run, succeeds, wait

INTERFACE = "segpipe-node"  # This machine's end.
HOST, NODE = "172.30.255.1", "172.30.255.2"
PODS, SERVICES = "10.244.0.0/16", "10.96.0.0/16"
API, DNS = "10.96.0.1", "10.96.0.10"


def join(init: int) -> None:
    """Joins the namespace of a process to this machine: its pods and services are reached from here, and it from there.

    Nothing is forwarded and there is no way further, so pods reach this machine and no other.
    """
    if succeeds("ip", "link", "show", INTERFACE):
        return
    for network in (f"{HOST}/30", PODS, SERVICES):
        taken = run("ip", "route", "show", "root", network)
        if taken:
            raise ClusterError(f"the cluster needs the addresses {network}, which this machine has: {taken.strip()}")
    inside = ("nsenter", "-t", init, "-n", "ip")
    run("ip", "link", "add", INTERFACE, "type", "veth", "peer", "name", "eth0", "netns", init)
    run("ip", "address", "add", f"{HOST}/30", "dev", INTERFACE)
    run("ip", "link", "set", INTERFACE, "up")
    run(*inside, "link", "set", "lo", "up")
    run(*inside, "address", "add", f"{NODE}/30", "dev", "eth0")
    run(*inside, "link", "set", "eth0", "up")
    for network in (PODS, SERVICES):
        run("ip", "route", "add", network, "via", NODE, "dev", INTERFACE)


def part() -> None:
    """Takes this machine's interface away, and its routes with it; the namespace goes with its processes."""
    if succeeds("ip", "link", "show", INTERFACE):
        succeeds("ip", "link", "delete", INTERFACE)
    wait(f"the interface {INTERFACE} was not removed", lambda: not succeeds("ip", "link", "show", INTERFACE), 30)
