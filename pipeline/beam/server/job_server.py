"""Beam's job server for an engine."""

from __future__ import annotations

from pipeline.beam.server.engines import Engine
from pipeline.beam.server.processes import JavaProcesses, Ports, answers, check_free


def start_job_server(java: JavaProcesses, ports: Ports, engine: Engine, master: str) -> str:
    """Starts the job server of an engine, which is at `master`; returns the job server's address.

    Raises:
        UserError: a port is taken, or the process ended while it started.
    """
    check_free(("--port", ports.job), ("--artifact-port", ports.artifact))
    arguments = [
        f"{engine.master_option}={master}",
        "--job-host=localhost",
        f"--job-port={ports.job}",
        f"--artifact-port={ports.artifact}",
        "--expansion-port=0",
        f"--artifacts-dir={java.folder / 'staged'}",
    ]
    java.start("job server", engine.job_server, arguments, ["-Xmx1g", *engine.properties], engine.environment(java))
    java.wait(lambda: answers(ports.job), "the job server")
    return f"localhost:{ports.job}"
