"""Beam's command-line arguments for a configuration of where its steps run."""

from __future__ import annotations

from common.errors import UserError
from pipeline.beam.config import AnyBeam, DataflowBeam, FlinkBeam, LocalBeam, SparkBeam
from pipeline.beam.worker_count import count_workers

BEAM_ARGUMENTS = ("--runner=FnApiRunner", "--sdk_container_image=unused")
"""Beam arguments for one process on this machine.

Beam's default runner would first try to download Prism; and any argument without a container image makes TFX build a
source distribution for each Beam step.  TFX's cache depends on these, so all pipelines are built with them; what a
step really runs with takes their place when it starts.
"""

WORKER_POOL = "localhost:50000"
"""Address of a pool of workers beside each of the engine's machines."""

_REPEATED = ("--number_of_execution_retries=10", "--execution_retry_delay=1000")
"""For a Flink whose own configuration says nothing: its default is to fail a batch job whose worker was lost.

A lost worker fails several parts of a job, and each counts.
"""

_KEPT = "--environment_cache_millis=10000"
"""How long a worker waits for the next stage of its job; Beam's default is to end it after each stage."""


def beam_arguments(beam: AnyBeam, loopback_pool: str | None = None) -> list[str]:
    """Returns the arguments of a step.

    Args:
        beam: Where Beam's steps run.
        loopback_pool: Address of the pool of workers that this process has started; required by `environment:
            loopback`.
    """
    if isinstance(beam, LocalBeam):
        return [*BEAM_ARGUMENTS, *_processes(count_workers(beam).workers), *beam.option_arguments()]
    if isinstance(beam, DataflowBeam):
        return [*_dataflow(beam), *beam.option_arguments()]
    return [*_portable(beam), *_environment(beam, loopback_pool), *beam.option_arguments()]


def _processes(workers: int) -> list[str]:
    if workers == 1:
        return []
    return ["--direct_running_mode=multi_processing", f"--direct_num_workers={workers}"]


def _dataflow(beam: DataflowBeam) -> list[str]:
    return [
        "--runner=DataflowRunner",
        f"--project={beam.project}",
        f"--region={beam.region}",
        f"--temp_location={beam.temp_location}",
        f"--sdk_container_image={beam.image}",
    ]


def _portable(beam: FlinkBeam | SparkBeam) -> list[str]:
    arguments = ["--runner=PortableRunner", f"--job_endpoint={beam.job_server}", "--sdk_container_image=unused"]
    # An engine's machine runs this many Python processes; with one, all its slots would share one interpreter's lock.
    arguments += [f"--sdk_worker_parallelism={beam.parallelism}", _KEPT]
    if isinstance(beam, FlinkBeam):
        arguments += [f"--parallelism={beam.parallelism}", *_REPEATED]
        arguments += [f"--flink_master={beam.master}"] if beam.master else []
    return arguments


def _environment(beam: FlinkBeam | SparkBeam, loopback_pool: str | None) -> list[str]:
    if beam.environment == "docker":
        return ["--environment_type=DOCKER", f"--environment_option=docker_container_image={beam.image}"]
    if beam.environment == "process":
        return ["--environment_type=PROCESS", f"--environment_option=process_command={beam.command}"]
    pool = loopback_pool if beam.environment == "loopback" else beam.worker_pool or WORKER_POOL
    if pool is None:
        raise UserError(
            "beam.environment loopback starts the workers in the run itself, on the engine's own machine; a step in a "
            "pod needs environment external, process or docker"
        )
    return ["--environment_type=EXTERNAL", f"--environment_config={pool}"]
