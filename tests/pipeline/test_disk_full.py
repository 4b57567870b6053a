"""A run on a disk that is too small stops with one sentence, and goes on once there is room."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.tiny import segpipe, write_use_case

Resize = Callable[[str], None]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[tuple[Path, Resize]]:
    """A disk of six megabytes, and what changes its size."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "none", folder], check=False).returncode != 0:
        pytest.skip("a disk can be mounted by root alone")
    yield folder, lambda size: subprocess.run(["mount", "-o", f"remount,size={size}", folder], check=True) and None
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.slow
def test_a_full_disk_is_told_in_one_sentence_and_the_same_command_goes_on(
    disk: tuple[Path, Resize], tmp_path: Path
) -> None:
    folder, resize = disk
    config = write_use_case(tmp_path)
    assert segpipe("schema", "infer", config).returncode == 0
    command = ("run", config, "--set", f"workspace={folder}/run", "--set", "trainer.epochs=3")

    before = segpipe(*command)
    assert before.returncode == 1
    assert before.stderr.startswith(f"error: the disk of {folder}/run has 6.")
    assert "Ingest pairs" not in before.stdout

    resize("7m")  # Half of the estimate: the run begins.
    midway = segpipe(*command)
    assert midway.returncode == 1
    assert "✓ Train" in midway.stdout
    assert "the disk is full" in midway.stderr or midway.stderr.startswith(f"error: the disk of {folder}")
    for stream in (before.stderr, midway.stderr):
        assert "MB" in stream
        assert "Traceback" not in stream
        assert stream.count("\n") == 1

    resize("1g")
    after = segpipe(*command)
    assert after.returncode == 0, after.stderr
    assert "✓ Ingest pairs · cached" in after.stdout
    assert "version 1 pushed" in after.stdout
