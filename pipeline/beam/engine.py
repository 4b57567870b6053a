"""What a run of Beam's steps needs beside it: forked workers, or a pool of them for an engine on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from common import progress
from pipeline.beam.arguments import beam_arguments
from pipeline.beam.config import AnyBeam, DataflowBeam, FlinkBeam, LocalBeam, SparkBeam
from pipeline.beam.faults import engine_fault_in
from pipeline.beam.worker_count import count_workers, threads_of_each


@contextmanager
def beam_engine(beam: AnyBeam) -> Iterator[list[str]]:
    """Provides what runs Beam's steps while the context is open; yields their arguments."""
    beam = _with_counted_workers(beam)
    if forks(beam):
        from pipeline.beam.worker_process import import_ahead

        import_ahead()  # Before Beam is imported here, so that both go on at the same time.
    if isinstance(beam, LocalBeam):
        from pipeline.beam.forked_workers import fork_workers

        fork_workers(threads_of_each(beam))
    if isinstance(beam, (LocalBeam, DataflowBeam)):
        yield beam_arguments(beam)
        return
    from pipeline.beam.spread_reads import spread_reads

    with _faults_explained(beam), _pool(beam) as pool, spread_reads():
        yield beam_arguments(beam, pool)


@contextmanager
def _faults_explained(beam: FlinkBeam | SparkBeam) -> Iterator[None]:
    """Turns an error that the engine has caused into one sentence."""
    try:
        yield
    except Exception as error:
        fault = engine_fault_in(error, beam)
        if fault is None:
            raise
        raise fault from error


@contextmanager
def _pool(beam: FlinkBeam | SparkBeam) -> Iterator[str | None]:
    """Serves a pool of workers for an engine on this machine; yields its address."""
    if beam.environment != "loopback":
        yield None
        return
    from pipeline.beam.worker_pool import serve_pool

    with serve_pool() as address:
        yield address


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
