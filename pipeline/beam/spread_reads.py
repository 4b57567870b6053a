"""Reads of which each worker of an engine takes a share.

Beam's `Read` divides a source of files in one step and reads the parts in the next, and leaves it to the runner to hand
the parts out.  Beam's runner for Flink does not in a batch job (2.62.0): the worker that has divided a source reads
all of it, and does all that follows without a shuffle; the others wait.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import apache_beam as beam
from apache_beam.io.iobase import BoundedSource, Read, SourceBundle


@contextmanager
def spread_reads() -> Iterator[None]:
    """While the context is open, pipelines shuffle the parts of each source before they read them."""
    before = Read.expand

    def expand(read: Read, begin: beam.pvalue.PBegin) -> beam.PCollection[Any]:
        if not isinstance(read.source, BoundedSource):
            return before(read, begin)
        return (
            begin
            | "Source" >> beam.Create([read.source])
            | "Divide" >> beam.FlatMap(_parts)
            | "HandOut" >> beam.Reshuffle()
            | "ReadPart" >> beam.FlatMap(_elements)
        )

    Read.expand = expand
    try:
        yield
    finally:
        Read.expand = before


def _parts(source: BoundedSource) -> Iterator[SourceBundle]:
    yield from source.split(Read.get_desired_chunk_size(source.estimate_size()))


def _elements(part: SourceBundle) -> Iterator[Any]:
    yield from part.source.read(part.source.get_range_tracker(part.start_position, part.stop_position))
