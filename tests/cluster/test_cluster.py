"""scripts/cluster itself: it starts, starts again over what a crash left, and leaves nothing behind.

Where a person's cluster runs, these tests skip: they would end it.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cluster import LOCK, Cluster, pod, put_into, why_not

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def own() -> Iterator[Cluster]:
    """A cluster that these tests start and stop."""
    if why_not():
        pytest.skip(why_not())
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        cluster = Cluster()
        if cluster.node.sandbox.init is not None:
            pytest.skip("a cluster runs already")
        yield cluster
        cluster.run("stop")


def left_behind(cluster: Cluster) -> list[str]:
    """What this machine has of the cluster: processes, mounts, interfaces, groups and files."""
    programs = str(cluster.places.programs), str(cluster.places.debian)
    found = [exe for exe in _programs() if exe.startswith(programs)]
    found += [
        line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(cluster.places.state) in line
    ]
    interfaces = [path.name for path in Path("/sys/class/net").iterdir()]
    found += [name for name in interfaces if name.startswith(("segpipe", "cni", "veth"))]
    found += subprocess.run(["ip", "route"], capture_output=True, text=True, check=True).stdout.split("segpipe-node")[
        1:
    ]
    found += [str(path) for path in Path("/sys/fs/cgroup").rglob("segpipe-cluster")]
    return found + [path.name for path in cluster.places.state.iterdir() if path.name != "debian"]


def _programs() -> list[str]:
    found = []
    for link in Path("/proc").glob("[0-9]*/exe"):
        try:
            found.append(str(link.readlink()))
        except OSError:
            continue
    return found


def settings() -> dict[str, str]:
    """What the kubelet would set for the whole machine."""
    keys = ("vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops", "net/ipv4/ip_forward")
    return {key: Path("/proc/sys", key).read_text() for key in keys}


def kill_everything(cluster: Cluster) -> None:
    """As `kill -9` of each process, the first of the namespaces among them."""
    init = cluster.node.sandbox.init
    assert init is not None
    os.kill(init, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while cluster.node.sandbox.init is not None:
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.fixture(scope="module")
def started(own: Cluster) -> Cluster:
    own.run("start")
    return own


def test_all_programs_are_at_work_and_a_pod_runs(started: Cluster) -> None:
    status = started.run("status")
    assert status.count("running") == 7
    assert "not running" not in status
    started.apply(put_into("default", pod("first", "nslookup kubernetes.default.svc.cluster.local && echo found")))
    assert started.wait_for_pod("first", "default")["status"]["phase"] == "Succeeded"
    assert "10.96.0.1" in started.logs("first", "default")


def test_this_machines_settings_stay_as_they_were(started: Cluster) -> None:
    before = settings()
    assert before["kernel/panic"] == Path("/proc/sys/kernel/panic").read_text()
    inside = started.node.sandbox.inside("cat", "/proc/sys/kernel/panic")
    assert subprocess.run(inside, capture_output=True, text=True, check=True).stdout == "10\n"


def test_a_second_start_changes_nothing(started: Cluster) -> None:
    before = started.node.sandbox.init
    pids = {name: started.node.sandbox.pid(name) for name in ("etcd", "kubelet", "containerd")}
    started.run("start")
    assert started.node.sandbox.init == before
    assert {name: started.node.sandbox.pid(name) for name in pids} == pids


def test_one_program_is_started_anew(started: Cluster) -> None:
    before = {name: started.node.sandbox.pid(name) for name in ("kube-apiserver", "etcd")}
    started.run("restart", "apiserver")
    assert started.node.sandbox.pid("kube-apiserver") not in (None, before["kube-apiserver"])
    assert started.node.sandbox.pid("etcd") == before["etcd"]
    assert "segpipe" in started.kubectl("get", "nodes")


def test_a_start_after_everything_was_killed_goes_on_where_it_was(started: Cluster) -> None:
    lasting = pod("lasting", "sleep 100000")
    lasting["spec"]["restartPolicy"] = "Always"
    started.apply(put_into("default", lasting))
    started.wait("pod", "lasting", "default", lambda pod: pod["status"]["phase"] == "Running")
    kill_everything(started)
    assert "not running" in started.run("status", check=False)
    started.run("start")
    started.wait("pod", "lasting", "default", lambda pod: pod["status"]["containerStatuses"][0]["restartCount"] == 1)
    started.apply(put_into("default", pod("second", "true")))
    assert started.wait_for_pod("second", "default")["status"]["phase"] == "Succeeded"


def test_stop_leaves_nothing_behind(started: Cluster) -> None:
    assert left_behind(started)
    started.run("stop")
    assert left_behind(started) == []
    started.run("stop")


def test_stop_after_everything_was_killed_leaves_nothing_behind(started: Cluster) -> None:
    started.run("start")
    kill_everything(started)
    started.run("stop")
    assert left_behind(started) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("load", "nowhere.tar"), "cluster: the cluster does not run; `scripts/cluster start` starts it"),
        (("restart", "apiserver"), "cluster: the cluster does not run; `scripts/cluster start` starts it"),
        (("start", "--memory", "much"), "'much' is not a size such as 4Gi or 512Mi"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(own: Cluster, words: tuple[str, ...], said: str) -> None:
    assert said in own.run(*words, check=False)


def test_without_root_it_says_so() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root to be somebody else")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "scripts/cluster", "start"]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env={**os.environ, "SEGPIPE_CLUSTER": folder}
        )
    assert done.returncode == 1
    assert done.stderr == "cluster: needs root, for namespaces, mounts and control groups\n"
