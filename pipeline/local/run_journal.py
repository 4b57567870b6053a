"""Journal of a local run, `runs/<id>.json` in its workspace: what neither ML Metadata nor a step's results say.

That is the plan of its steps, their time and memory, its log file, and how it ended, also if it ended before its first
step.
"""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from pydantic import Field

from common.errors import user_error_in
from common.plain_path import without_aliases
from common.run_context import StepUsage
from common.settings import Settings

JOURNALS = "runs"
"""Folder of the journals in a workspace."""
_ID = "%Y%m%d-%H%M%S-%f"

Outcome = Literal["succeeded", "failed", "interrupted", "unchanged"]


class PlannedStep(Settings):
    """A step of the run's pipeline."""

    component: str
    after: tuple[str, ...] = Field(default=(), description="Components that it waits for.")


class RunJournal(Settings):
    """What is known about a run besides its steps' executions and results."""

    name: str = Field(description="Name of the pipeline.")
    began: datetime.datetime
    log: str | None = Field(default=None, description="Name of its log file in the workspace's folder `logs`.")
    command: tuple[str, ...] = Field(default=(), description="The command that started it.")
    steps: tuple[PlannedStep, ...] = Field(default=(), description="In the order of the pipeline; none before the DAG.")
    usage: tuple[StepUsage, ...] = Field(default=(), description="Time and memory of the steps that have ended well.")
    ended: datetime.datetime | None = None
    outcome: Outcome | None = Field(
        default=None, description="`unchanged`: nothing was run, because the served version was made from the same."
    )
    sentence: str | None = Field(default=None, description="The error that ended it, or why nothing was run.")


@dataclass(frozen=True)
class Origin:
    """What started a run."""

    log: Path | None = None
    command: tuple[str, ...] = ()


class Node(Protocol):
    """A node of a TFX pipeline."""

    id: str
    upstream_nodes: Iterable[Node]


class JournalWriter:
    """Keeps the journal of a run up to date."""

    def __init__(self, workspace: Path, name: str, origin: Origin) -> None:
        began = datetime.datetime.now().astimezone()
        self.began = began.replace(tzinfo=None)
        """Local time, as TFX's run ids have it."""
        self._path = workspace / JOURNALS / f"{run_key(began)}.json"
        log = origin.log.name if origin.log else None
        self._journal = RunJournal(name=name, began=began, log=log, command=origin.command)
        self._write()

    def plan(self, nodes: Iterable[Node]) -> None:
        """Records the steps that will run; each with those whose outputs or end it waits for."""
        steps = tuple(
            PlannedStep(component=node.id, after=tuple(sorted(other.id for other in node.upstream_nodes)))
            for node in nodes
        )
        self._update(steps=steps)

    def used(self, usage: StepUsage) -> None:
        """Records the time and memory of a step that has ended."""
        self._update(usage=(*self._journal.usage, usage))

    def end(self, outcome: Outcome, sentence: str | None = None) -> None:
        """Records how the run ended; only the first call counts."""
        if self._journal.outcome is None:
            now = datetime.datetime.now().astimezone()
            self._update(ended=now, outcome=outcome, sentence=sentence)

    def _update(self, **changes: object) -> None:
        self._journal = self._journal.model_copy(update=changes)
        self._write()

    def _write(self) -> None:
        """Writes the journal atomically; a full disk must not be what ends the run."""
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            staged = self._path.with_suffix(".new")
            staged.write_text(self._journal.model_dump_json(indent=1), "utf-8")
            staged.replace(self._path)


def run_key(began: datetime.datetime) -> str:
    """Returns the name of a run in files and addresses, by its begin: `20261127-163455-046215`."""
    return began.strftime(_ID)


def began_of_key(key: str) -> datetime.datetime | None:
    """Returns the begin of the run with this key; `None` for other names."""
    try:
        return datetime.datetime.strptime(key, _ID).astimezone()
    except ValueError:
        return None


@contextlib.contextmanager
def journal_of_run(workspace: Path, name: str, origin: Origin) -> Iterator[JournalWriter]:
    """Keeps a journal while a run lasts, and records how it ends."""
    journal = JournalWriter(workspace, name, origin)
    try:
        yield journal
    except KeyboardInterrupt as interruption:
        journal.end("interrupted", str(interruption) or "interrupted")
        raise
    except BaseException as error:
        journal.end("failed", without_aliases(_sentence(error)))
        raise
    journal.end("succeeded")


def _sentence(error: BaseException) -> str:
    told = user_error_in(error)
    if told is not None:
        return str(told)
    first_line = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {first_line}" if first_line else type(error).__name__
