"""Where Beam's steps run, as an environment variable of their containers.

The backend's cache depends on a container's arguments, but not on its environment; a step's results do not depend on
where it ran.
"""

from __future__ import annotations

from common.errors import UserError
from pipeline.beam.config import AnyBeam, DataflowBeam, FlinkBeam, LocalBeam, SparkBeam
from pipeline.config.run_config import RunConfig
from pipeline.dag.steps import STEPS
from pipeline.kubeflow.names import BEAM, KEEP_URIS

_ON_BEAM = frozenset(step.task for step in STEPS if step.on_beam)


def beam_of(config: RunConfig, task: str) -> AnyBeam | None:
    """Returns where a task's Beam pipeline runs; `None` for a task without one."""
    return (config.kubeflow.options_of(task).beam or config.beam) if task in _ON_BEAM else None


def staging_of(config: RunConfig, task: str) -> str | None:
    """Returns where the artifacts of a task are staged for its engine; `None` if they are not."""
    return getattr(beam_of(config, task), "staging", None)


def beam_environment(config: RunConfig, task: str) -> dict[str, str]:
    """Returns the variable of a task; empty for a task without Beam, and for one process in the task's pod.

    Raises:
        UserError: the engine's workers could not read the task's artifacts.
    """
    beam = beam_of(config, task)
    if beam is None or beam == LocalBeam():
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
    key = f"kubeflow.steps.{task}.env.{KEEP_URIS}"
    keeps = (config.kubeflow.options_of(task).env or {}).get(KEEP_URIS) == "1"
    if beam.staging is not None:
        if keeps:
            raise UserError(f"{key} and beam.staging exclude each other: leave one of them out")
        return
    if not (keeps and config.kubeflow.pipeline_root.startswith(("gs://", "s3://"))):
        where = "an address in gs://" if isinstance(beam, DataflowBeam) else "a folder on a claim that they mount too"
        raise UserError(
            f"beam.runner {beam.runner}: its workers cannot read the artifacts of {task}, which are on the disk of its "
            f"pod; set beam.staging to {where} (docs/scale.md), or beam.runner to local"
        )
