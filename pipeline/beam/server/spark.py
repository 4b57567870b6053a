"""A Spark of this machine: a standalone master and workers, each a process."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

from pipeline.beam.server.processes import JavaProcesses, Ports, check_free

_MASTER = "org.apache.spark.deploy.master.Master"
_WORKER = "org.apache.spark.deploy.worker.Worker"
_WORKER_MEMORY = "1g"
"""Of the executor that a worker starts; the Python processes that compute are not in it."""

DRIVER_PROPERTIES = (
    "-Dspark.ui.enabled=false",
    f"-Dspark.executor.memory={_WORKER_MEMORY}",
)
"""Java's properties of the job server, in whose process Spark's driver runs."""


def start_spark(java: JavaProcesses, ports: Ports, workers: int, slots: int) -> str:
    """Starts a master and workers; returns Spark's address when they are ready.

    Raises:
        UserError: a port is taken, or a process ended while it started.
    """
    check_free(("--rest-port", ports.rest), ("--rpc-port", ports.rpc))
    environment = spark_environment(java)
    where = ["--host", "localhost", "--port", str(ports.rpc), "--webui-port", str(ports.rest)]
    java.start("Spark master", _MASTER, where, ["-Xmx512m"], environment)
    address = f"spark://localhost:{ports.rpc}"
    for number in range(1, workers + 1):
        folder = java.folder / f"worker-{number}"
        folder.mkdir()
        size = ["--cores", str(slots), "--memory", _WORKER_MEMORY, "--work-dir", str(folder)]
        arguments = ["--host", "localhost", "--webui-port", "0", *size, address]
        java.start(f"Spark worker {number}", _WORKER, arguments, ["-Xmx256m"], environment)
    java.wait(lambda: workers_at(f"localhost:{ports.rest}") == workers, f"Spark's {workers} workers")
    return address


def spark_environment(java: JavaProcesses) -> dict[str, str]:
    """Returns the environment variables of Spark's processes.

    A worker starts executors with the jars in the folder `jars` of SPARK_HOME; SPARK_LOCAL_IP keeps all of them on this
    machine's own address.
    """
    home = java.folder / "spark"
    home.mkdir(exist_ok=True)
    link = home / "jars"
    if not link.exists():
        link.symlink_to(java.jars, target_is_directory=True)
    return {
        "SPARK_HOME": str(home),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LOCAL_DIRS": str(_made(java.folder / "temporary")),
        "SPARK_SCALA_VERSION": "2.12",
    }


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


def workers_at(page: str) -> int:
    """Returns how many workers the Spark whose page is at `page` has; 0 if it does not answer."""
    try:
        with urllib.request.urlopen(f"http://{page}/json/", timeout=2) as answer:
            return sum(worker["state"] == "ALIVE" for worker in json.load(answer)["workers"])
    except (OSError, ValueError, KeyError):
        return 0
