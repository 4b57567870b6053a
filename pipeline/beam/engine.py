"""What a run of Beam's steps needs beside it: forked workers, or a pool of them for an engine on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from common import progress
from pipeline.beam.arguments import beam_arguments
from pipeline.beam.config import AnyBeam, DataflowBeam, LocalBeam
from pipeline.beam.worker_count import count_workers


@contextmanager
def beam_engine(beam: AnyBeam) -> Iterator[list[str]]:
    """Provides what runs Beam's steps while the context is open; yields their arguments."""
    beam = _with_counted_workers(beam)
    if forks(beam):
        from pipeline.beam.worker_process import import_ahead

        import_ahead()  # Before Beam is imported here, so that both go on at the same time.
    if isinstance(beam, LocalBeam):
        from pipeline.beam.forked_workers import fork_workers

        fork_workers()
    if isinstance(beam, (LocalBeam, DataflowBeam)) or beam.environment != "loopback":
        yield beam_arguments(beam)
        return
    from pipeline.beam.worker_pool import serve_pool

    with serve_pool() as pool:
        yield beam_arguments(beam, pool)


def forks(beam: AnyBeam) -> bool:
    """Whether workers are forked on this machine."""
    if isinstance(beam, LocalBeam):
        return beam.workers != 1
    return not isinstance(beam, DataflowBeam) and beam.environment == "loopback"


def _with_counted_workers(beam: AnyBeam) -> AnyBeam:
    """Returns the section with the number of workers that `all` means now, and reports it."""
    if not isinstance(beam, LocalBeam) or beam.workers != "all":
        return beam
    workers, reason = count_workers(beam)
    progress.report(f"beam.workers: all is {workers} ({reason})")
    return beam.model_copy(update={"workers": workers})
