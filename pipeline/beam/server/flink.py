"""A Flink of this machine: a JobManager and TaskManagers, each a process."""

from __future__ import annotations

import json
import urllib.request

from pipeline.beam.server.flink_configuration import TASK_MANAGER_MEMORY, write_configuration
from pipeline.beam.server.processes import JavaProcesses, Ports, check_free

_JOB_MANAGER = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
_TASK_MANAGER = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"


def start_flink(java: JavaProcesses, ports: Ports, task_managers: int, slots: int) -> str:
    """Starts a JobManager and TaskManagers; returns the address of Flink when they are ready.

    Raises:
        UserError: a port is taken, or a process ended while it started.
    """
    check_free(("--rest-port", ports.rest), ("--rpc-port", ports.rpc))
    write_configuration(java.folder, slots, ports.rest, ports.rpc)
    where = ["--configDir", str(java.folder)]
    java.start("JobManager", _JOB_MANAGER, where, ["-Xmx512m"])
    for number in range(1, task_managers + 1):
        java.start(f"TaskManager {number}", _TASK_MANAGER, where, TASK_MANAGER_MEMORY)
    address = f"localhost:{ports.rest}"
    java.wait(lambda: task_managers_at(address) == task_managers, f"Flink's {task_managers} TaskManagers")
    return address


def task_managers_at(address: str) -> int:
    """Returns how many TaskManagers the Flink at `address` has; 0 if it does not answer."""
    try:
        with urllib.request.urlopen(f"http://{address}/overview", timeout=2) as answer:
            return int(json.load(answer)["taskmanagers"])
    except (OSError, ValueError, KeyError):
        return 0
