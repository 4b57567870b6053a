"""What the runner of a run knows and its steps cannot see: the command, and the time and memory of the steps so far.

It is not a parameter of a step, because TFX's cache compares parameters.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator
from dataclasses import dataclass, field

from pydantic import Field

from common.settings import Settings


class StepUsage(Settings):
    """Time and memory of a step that has ended."""

    component: str
    name: str = Field(description="As people read it.")
    seconds: float
    cached: bool = False
    megabytes: float | None = Field(
        default=None, description="Peak of the memory that its process and all below it held; none where unknown."
    )


@dataclass
class RunContext:
    """A run in progress."""

    command: tuple[str, ...] = ()
    """The command that started it."""
    steps: list[StepUsage] = field(default_factory=list)
    """The steps that have ended."""


_CURRENT: contextvars.ContextVar[RunContext | None] = contextvars.ContextVar("run_context", default=None)


def current_run() -> RunContext | None:
    """Returns the run that this process's runner is in; none in a pod, which runs a single step."""
    return _CURRENT.get()


@contextlib.contextmanager
def run_context(context: RunContext) -> Iterator[RunContext]:
    """Makes a run the current one."""
    token = _CURRENT.set(context)
    try:
        yield context
    finally:
        _CURRENT.reset(token)
