"""What a step needs to run on the engine that its environment variable names."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from pipeline.beam.config import AnyBeam, FlinkBeam, SparkBeam, read_beam
from pipeline.kubeflow.json_types import Json
from pipeline.kubeflow.names import BEAM
from pipeline.kubeflow.pod.launcher import ArtifactPaths


class BeamStep(NamedTuple):
    """Paths of a step's artifacts, and the arguments of its Beam pipelines."""

    paths: ArtifactPaths
    arguments: Sequence[str]


@contextmanager
def beam_step(executor_input: Json, compiled: Sequence[str], keep_uris: bool) -> Iterator[BeamStep]:
    """Provides the engine of a step while the context is open, and stages the step's artifacts if it needs that.

    Args:
        executor_input: The launcher's `{{$}}`.
        compiled: The arguments that were compiled; empty for a step without Beam.
        keep_uris: Whether the step reads and writes the bucket itself.

    Raises:
        UserError: the engine's job server does not answer.
    """
    text = os.environ.get(BEAM)
    if not text or not compiled:
        yield BeamStep(ArtifactPaths(executor_input, keep_uris), compiled)
        return
    from pipeline.beam.check import check_job_server
    from pipeline.beam.engine import beam_engine

    beam = read_beam(text)
    if isinstance(beam, (FlinkBeam, SparkBeam)):
        check_job_server(beam)
    staging: str | None = getattr(beam, "staging", None)
    with beam_engine(beam) as arguments:
        if staging is None:
            yield BeamStep(ArtifactPaths(executor_input, keep_uris), arguments)
            return
        from pipeline.beam.jobs import job_name_argument
        from pipeline.kubeflow.pod.staging import staged

        with staged(staging, executor_input, _cancelling(beam)) as stage:
            yield BeamStep(stage.paths, [*arguments, job_name_argument(stage.name)])


def _cancelling(beam: AnyBeam) -> Callable[[str], None]:
    """Returns the function that cancels jobs by name; those of Dataflow end by themselves."""
    from pipeline.beam.jobs import cancel_jobs

    def cancel(name: str) -> None:
        if isinstance(beam, (FlinkBeam, SparkBeam)):
            cancel_jobs(beam, name)

    return cancel
