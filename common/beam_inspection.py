"""A memory for what Apache Beam works out again and again while it builds a pipeline.

For each transform, Beam 2.74 reads the signatures of all methods of its DoFn some ten times
(`transforms/userstate.py`, `get_dofn_specs`), and builds argument parsers to read options that have not changed
(`options/pipeline_options.py`, `PipelineOptions.view_as`): together a quarter of the time that a pipeline of little
data takes.  Neither answer changes as long as the object lives.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import Any


@functools.cache
def remember_inspections() -> None:
    """Lets Beam inspect each DoFn, and build each view of its options, once; call it before a pipeline is built."""
    from apache_beam.options.pipeline_options import PipelineOptions
    from apache_beam.transforms import userstate

    userstate.get_dofn_specs = _once_per_object(userstate.get_dofn_specs)
    PipelineOptions.view_as = _once_per_object(PipelineOptions.view_as)


def _once_per_object(function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns `function` with a memory of its results by its first argument, which is told from others by identity.

    The memory is outside the object: Beam pickles its objects with all their attributes.
    """
    known: dict[int, dict[tuple[Any, ...], Any]] = {}

    @functools.wraps(function)
    def remembered(thing: Any, *more: Any) -> Any:
        if id(thing) not in known:
            weakref.finalize(thing, known.pop, id(thing), None).atexit = False
        results = known.setdefault(id(thing), {})
        if more not in results:
            results[more] = function(thing, *more)
        return results[more]

    return remembered
