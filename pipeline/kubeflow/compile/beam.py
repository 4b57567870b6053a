"""Where Beam's steps run, as an environment variable of their containers.

The backend's cache depends on a container's arguments, but not on its environment; a step's results do not depend on
where it ran.
"""

from __future__ import annotations

from collections.abc import Iterable

from common.errors import UserError
from pipeline.beam.config import DataflowBeam, FlinkBeam, LocalBeam, SparkBeam
from pipeline.config.run_config import RunConfig
from pipeline.kubeflow.names import BEAM, KEEP_URIS


def beam_environment(config: RunConfig, task: str, arguments: Iterable[str]) -> dict[str, str]:
    """Returns the variable of a task; empty for a task without Beam, and for one process in the task's pod.

    Raises:
        UserError: the engine's workers could not read the task's artifacts.
    """
    if not any(argument.startswith("--runner=") for argument in arguments):
        return {}
    options = config.kubeflow.options_of(task)
    beam = options.beam or config.beam
    if beam == LocalBeam():
        return {}
    if not isinstance(beam, LocalBeam):
        _check_readable(config, task, beam)
    return {BEAM: beam.model_dump_json()}


def _check_readable(config: RunConfig, task: str, beam: FlinkBeam | SparkBeam | DataflowBeam) -> None:
    if not isinstance(beam, DataflowBeam) and beam.environment == "loopback":
        raise UserError(
            f"beam.environment loopback starts the workers in the pod of {task}, which the engine does not reach; use "
            "external (a pool beside each of the engine's machines) or docker"
        )
    keeps = (config.kubeflow.options_of(task).env or {}).get(KEEP_URIS) == "1"
    in_bucket = config.kubeflow.pipeline_root.startswith(("gs://", "s3://"))
    if not (keeps and in_bucket):
        raise UserError(
            f"beam.runner {beam.runner}: its workers cannot read the artifacts of {task}, which are on the disk of its "
            f"pod; set kubeflow.pipeline_root to gs:// or s3:// and kubeflow.steps.{task}.env.{KEEP_URIS} to '1' "
            "(docs/scale.md), or beam.runner to local"
        )
