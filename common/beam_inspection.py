"""A memory for what Apache Beam works out again and again while it builds a pipeline.

For each transform, Beam 2.74 reads the signatures of all methods of its DoFn some ten times
(`transforms/userstate.py`, `get_dofn_specs`; `transforms/core.py`, `get_function_args_defaults`), and builds argument
parsers to read options that have not changed (`options/pipeline_options.py`, `PipelineOptions.view_as`): together a
quarter of the time that a pipeline of little data takes.  No answer changes as long as the object lives.
"""

from __future__ import annotations

import functools
import types
import weakref
from collections.abc import Callable
from typing import Any

Arguments = tuple[list[str], list[Any]]
"""Names of a function's arguments, and the values of those that have a default."""


@functools.cache
def remember_inspections() -> None:
    """Lets Beam inspect each DoFn and function, and build each view of its options, once.

    Call it before a pipeline is built.
    """
    from apache_beam.options.pipeline_options import PipelineOptions
    from apache_beam.transforms import core, userstate

    core.get_function_args_defaults = _once_per_function(core.get_function_args_defaults)
    userstate.get_dofn_specs = _once_per_object(userstate.get_dofn_specs)
    PipelineOptions.view_as = _once_per_object(PipelineOptions.view_as)


def _once_per_function(arguments_of: Callable[[Any], Arguments]) -> Callable[[Any], Arguments]:
    """Returns `arguments_of` with a memory of its results, which are the same for a function's methods of all objects.

    A DoFn is unpickled for each bundle, so that its methods are other objects each time, of the same functions.
    """

    @_once_per_object
    def remembered(function: types.FunctionType, is_method: bool) -> Arguments:
        return arguments_of(types.MethodType(function, object()) if is_method else function)

    @functools.wraps(arguments_of)
    def remembering(function: Any) -> Arguments:
        if isinstance(function, types.FunctionType):
            names, defaults = remembered(function, False)
        elif isinstance(function, types.MethodType) and isinstance(function.__func__, types.FunctionType):
            names, defaults = remembered(function.__func__, True)
        else:
            return arguments_of(function)
        return [*names], [*defaults]

    return remembering


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
