"""What `segpipe select` and `segpipe suspicious` refuse before they load a model."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.tiny import segpipe_here


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("select", "m", "photos", "--out", "t.csv"), "t.csv does not end in .parquet or .jsonl"),
        (("select", "m", "photos", "--out", "t.jsonl", "--address", "x"), "--address is for --tasks label-studio"),
        (("select", "nowhere", "photos", "--out", "t.jsonl"), "MODEL nowhere is not a configuration"),
        (("suspicious", "nowhere", "--out", "t.jsonl"), "nowhere is neither a configuration"),
        (("suspicious", ".", "--out", "t.jsonl", "--set", "seed=1"), "--set is for a configuration"),
        (("suspicious", ".", "--out", "t.jsonl"), "is not the workspace of a run"),
        (("suspicious", ".", "--out", "t.html"), "t.html does not end in .parquet or .jsonl"),
        (
            ("suspicious", ".", "--out", "t.jsonl", "--sheet", "./t.jsonl"),
            "--out and --sheet name the same file, t.jsonl; name another file with --sheet",
        ),
        (("select", "m", "t.jsonl", "--out", "t.jsonl"), "--out t.jsonl is the file that is read"),
    ],
)
def test_it_is_one_sentence(
    arguments: tuple[str, ...],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    done = segpipe_here(capfd, *arguments)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ") and sentence in done.stderr and done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir()), "nothing is left behind"


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0" + bytes(200)])
def test_a_damaged_database_of_runs_is_one_sentence(
    content: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "metadata.sqlite").write_bytes(content)
    done = segpipe_here(capfd, "suspicious", str(tmp_path), "--out", str(tmp_path / "t.jsonl"))
    assert done.returncode == 1
    assert "metadata.sqlite cannot be read as the database of runs (" in done.stderr
    assert done.stderr.count("\n") == 1
