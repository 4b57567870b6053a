"""Which log is a run's, and the end of it."""

from __future__ import annotations

import datetime
from pathlib import Path

from pipeline.dashboard.run_log import find_log, read_tail
from pipeline.dashboard.workspaces import Workspace

BEGAN = datetime.datetime(2026, 11, 27, 16, 34, 55).astimezone()
LINE = "2026-11-27 16:43:20,372 INFO segpipe.progress: epoch {}/9: loss 0.1"


def logs(folder: Path, *names: str) -> Workspace:
    (folder / "logs").mkdir()
    for name in names:
        (folder / "logs" / name).write_text(name)
    return Workspace("one", folder)


def test_without_a_journal_it_is_the_newest_from_before_the_run(tmp_path: Path) -> None:
    place = logs(tmp_path, "run-20261127-100000.log", "run-20261127-163448.log", "run-20261127-163456.log", "notes.txt")
    found = find_log(place, None, BEGAN)
    assert found is not None and found.name == "run-20261127-163448.log"
    assert find_log(place, None, BEGAN - datetime.timedelta(days=1)) is None


def test_a_journal_names_it_but_no_path(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("")
    place = logs(tmp_path, "run-20261127-100000.log")
    found = find_log(place, "run-20261127-100000.log", BEGAN)
    assert found is not None and found.parent == tmp_path / "logs"
    assert find_log(place, "../secret", BEGAN) is None


def test_the_tail_has_the_last_lines_and_the_progress(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_bytes(b"\xff" * 100_000 + b"\n" + "\n".join(LINE.format(n) for n in range(30)).encode() + b"\nlast\n\n")
    tail = read_tail(log, lines=3, progress=2)
    assert tail is not None
    assert tail.lines == (LINE.format(28), LINE.format(29), "last")
    assert [line.text for line in tail.progress] == ["epoch 28/9: loss 0.1", "epoch 29/9: loss 0.1"]
    assert tail.progress[0].moment == "2026-11-27 16:43:20"


def test_an_empty_or_missing_log_has_no_lines(tmp_path: Path) -> None:
    (tmp_path / "x.log").touch()
    tail = read_tail(tmp_path / "x.log")
    assert tail is not None and tail.lines == ()
    assert read_tail(tmp_path / "none.log") is None
