"""The journal of a run, also of one that fails or is interrupted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from common.errors import UserError
from common.interruption import Interruption
from common.run_context import StepUsage
from pipeline.local.run_journal import JOURNALS, Node, Origin, RunJournal, began_of_key, journal_of_run, run_key


@dataclass
class Made:
    """A node of a DAG."""

    id: str
    upstream_nodes: Iterable[Node] = field(default_factory=list)


def read(workspace: Path) -> RunJournal:
    [path] = (workspace / JOURNALS).iterdir()
    journal = RunJournal.model_validate_json(path.read_text())
    assert path.stem == run_key(journal.began)
    return journal


def test_it_has_the_plan_while_the_run_goes_and_its_end_afterwards(tmp_path: Path) -> None:
    with journal_of_run(tmp_path, "tiny", Origin(Path("logs/run-1.log"), ("segpipe", "run"))) as journal:
        first = Made("ImageMaskExampleGen")
        journal.plan([first, Made("StatisticsGen", [first])])
        going = read(tmp_path)
        assert [(step.component, step.after) for step in going.steps] == [
            ("ImageMaskExampleGen", ()),
            ("StatisticsGen", ("ImageMaskExampleGen",)),
        ]
        assert (going.name, going.log, going.command, going.outcome) == ("tiny", "run-1.log", ("segpipe", "run"), None)
        used = StepUsage(component="ImageMaskExampleGen", name="Ingest", seconds=2.5, megabytes=310.0)
        journal.used(used)
        assert read(tmp_path).usage == (used,)
    done = read(tmp_path)
    assert done.usage == (used,)
    assert done.outcome == "succeeded" and done.ended is not None and done.steps == going.steps


@pytest.mark.parametrize(
    ("error", "outcome", "sentence"),
    [
        (UserError("no data: name a folder"), "failed", "no data: name a folder"),
        (ValueError("a\nb"), "failed", "ValueError: a"),
        (KeyboardInterrupt(), "interrupted", "interrupted"),
        (Interruption("terminated", 15), "interrupted", "terminated"),  # type: ignore[arg-type]
        (SystemExit(), "failed", "SystemExit"),
    ],
)
def test_it_says_what_ended_the_run(tmp_path: Path, error: BaseException, outcome: str, sentence: str) -> None:
    with pytest.raises(type(error)), journal_of_run(tmp_path, "tiny", Origin()):
        raise error
    journal = read(tmp_path)
    assert (journal.outcome, journal.sentence) == (outcome, sentence)


def test_the_first_end_counts(tmp_path: Path) -> None:
    with journal_of_run(tmp_path, "tiny", Origin()) as journal:
        journal.end("unchanged", "nothing to do")
    assert read(tmp_path).outcome == "unchanged"


def test_a_folder_that_cannot_be_written_does_not_end_the_run(tmp_path: Path) -> None:
    (tmp_path / JOURNALS).write_text("in the way")
    with journal_of_run(tmp_path, "tiny", Origin()) as journal:
        journal.plan([])


def test_the_key_is_the_begin(tmp_path: Path) -> None:
    with journal_of_run(tmp_path, "tiny", Origin()):
        began = read(tmp_path).began
    assert began_of_key(run_key(began)) == began
    assert began_of_key("notes") is None
