"""What a repeated part of a Beam job leaves behind."""

from __future__ import annotations

from pathlib import Path

from pipeline.beam.leftovers import remove_leftovers


def test_temporary_folders_of_sinks_are_removed_and_nothing_else(tmp_path: Path) -> None:
    split = tmp_path / "examples" / "Split-train"
    left = split / "beam-temp-data-6da3ee7aeac511f183b902fc00000001"
    left.mkdir(parents=True)
    (left / "part").write_bytes(b"x")
    (split / "data-00000-of-00001.gz").write_bytes(b"records")
    remove_leftovers([str(tmp_path / "examples"), str(tmp_path / "an output that was not written")])
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["data-00000-of-00001.gz"]
    assert not left.exists()
