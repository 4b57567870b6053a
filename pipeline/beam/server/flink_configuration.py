"""Configuration of a Flink for trying: a JobManager and TaskManagers on this machine."""

from __future__ import annotations

from pathlib import Path

import yaml

MEGABYTES = {
    "taskmanager.memory.framework.heap.size": 128,
    "taskmanager.memory.framework.off-heap.size": 128,
    "taskmanager.memory.task.heap.size": 1920,
    "taskmanager.memory.task.off-heap.size": 64,
    "taskmanager.memory.network.min": 256,
    "taskmanager.memory.network.max": 256,
    "taskmanager.memory.managed.size": 256,
    "taskmanager.memory.jvm-metaspace.size": 256,
    "taskmanager.memory.jvm-overhead.min": 192,
    "taskmanager.memory.jvm-overhead.max": 192,
}
"""Each must be given, because Flink's own scripts, which compute them, are not used."""

TASK_MANAGER_MEMORY = ["-Xmx2048m", "-XX:MaxDirectMemorySize=768m"]
"""Of the JVM: heap of framework and task; direct memory of both, of the network, and of gRPC.

What Python returns while it computes a part of a job waits on the heap, up to 100 messages (`BeamFnDataInboundObserver`
of Beam 2.62.0) of 10 MB or more (`_DEFAULT_SIZE_FLUSH_THRESHOLD` of its Python SDK): with 512 MB, Transform of 4000
images of 128² ended in an OutOfMemoryError.
"""

RESTARTS = {
    "restart-strategy.type": "exponential-delay",
    "restart-strategy.exponential-delay.initial-backoff": "1 s",
    "restart-strategy.exponential-delay.max-backoff": "10 s",
    "restart-strategy.exponential-delay.attempts-before-reset-backoff": 6,
}
"""How often a failed part of a job is repeated.

A dead TaskManager takes several parts with it, and results that others ask for later.  This strategy counts what fails
while it waits as one failure; a fixed number is used up by a single dead TaskManager.
"""


def write_configuration(folder: Path, slots: int, rest_port: int, rpc_port: int) -> None:
    """Writes `config.yaml` to `folder`.

    Args:
        folder: Folder for the configuration, and for Flink's temporary files.
        slots: Slots of each TaskManager.
        rest_port: Port of the page and of job submission.
        rpc_port: Port that TaskManagers find the JobManager by.
    """
    temporary = folder / "temporary"
    temporary.mkdir(parents=True, exist_ok=True)
    settings = {
        "jobmanager.rpc.address": "localhost",
        "jobmanager.rpc.port": rpc_port,
        "jobmanager.bind-host": "localhost",
        "rest.address": "localhost",
        "rest.bind-address": "localhost",
        "rest.port": rest_port,
        "taskmanager.host": "localhost",
        "taskmanager.bind-host": "localhost",
        "taskmanager.numberOfTaskSlots": slots,
        "taskmanager.cpu.cores": float(slots),
        **{key: f"{size}m" for key, size in MEGABYTES.items()},
        # A TaskManager that died is missed after 10 s (50 by default), and its work is done again elsewhere.
        "heartbeat.interval": 2000,
        "heartbeat.timeout": 10000,
        **RESTARTS,
        "io.tmp.dirs": str(temporary),
        # Of each result of a stage; by default 512, and Transform has many at a time.
        "taskmanager.network.sort-shuffle.min-buffers": 64,
        # Jobs bring no classes: all jars are on the class path of JobManager and TaskManagers.
        "classloader.resolve-order": "parent-first",
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))
