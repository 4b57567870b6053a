"""What is said where the machine is at fault: a full disk, a right that lacks, too little memory."""

from __future__ import annotations

import errno
import os
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from apache_beam.io.filesystem import BeamIOError

from common.errors import START_AGAIN
from common.machine_faults import Kind, MachineFault, describe, machine_fault_in
from components.example_gen.files import LocalFolder


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a megabyte."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,nr_inodes=20", "none", folder], check=False)
    if mounted.returncode != 0:
        pytest.skip("a disk can be mounted by root alone")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), Kind.DISK_FULL),
        (OSError("[Errno 28] No space left on device [while running 'Write']"), Kind.DISK_FULL),
        (sqlite3.OperationalError("database or disk is full"), Kind.DISK_FULL),
        (RuntimeError("attempt to write a readonly database"), Kind.READ_ONLY),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), Kind.QUOTA),
        (OSError(errno.EFBIG, "File too large"), Kind.FILE_SIZE),
        (OSError(errno.EROFS, "Read-only file system", "/data/x"), Kind.READ_ONLY),
        (PermissionError(errno.EACCES, "Permission denied", "/data/x"), Kind.NO_RIGHT),
        (OSError(errno.EMFILE, "Too many open files"), Kind.OPEN_FILES),
        (RuntimeError("can't start new thread"), Kind.PROCESSES),
        (MemoryError(), Kind.MEMORY),
        (RuntimeError("std::bad_alloc"), Kind.MEMORY),
        (tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor with shape[9]"), Kind.MEMORY),
        (tf.errors.ResourceExhaustedError(None, None, "/tmp/x/y; No space left on device"), Kind.DISK_FULL),
        (tf.errors.InternalError(None, None, "Failed copying: CUDA_ERROR_OUT_OF_MEMORY: out of memory"), Kind.MEMORY),
    ],
)
def test_a_fault_is_known_by_number_or_text_wherever_it_is_wrapped(error: Exception, kind: Kind) -> None:
    wrapped = RuntimeError("a step failed")
    wrapped.__cause__ = ValueError("again")
    wrapped.__cause__.__context__ = error
    for raised in (error, wrapped, BeamIOError("Rename operation failed", {("a", "b"): error})):
        found = machine_fault_in(raised)
        assert found is not None
        assert found.kind is kind


@pytest.mark.parametrize(
    "error",
    [
        None,
        KeyError("x"),
        FileNotFoundError(errno.ENOENT, "No such file or directory", "/x/y"),
        PermissionError(errno.EACCES, "Permission denied"),  # Of a socket: no path.
        ValueError("the image has no space between its parts"),
    ],
)
def test_what_is_no_fault_of_the_machine_stays_a_bug(error: Exception | None) -> None:
    assert machine_fault_in(error) is None


def test_numpys_and_tensorflows_own_errors_are_known(tmp_path: Path) -> None:
    with pytest.raises(MemoryError) as huge:
        np.ones(1 << 55, np.uint8)
    assert machine_fault_in(huge.value) == MachineFault(Kind.MEMORY, None)
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(tf.errors.OpError) as under:
        tf.io.write_file(str(blocked / "below"), b"x")
    fault = machine_fault_in(under.value)
    assert fault is not None
    assert fault.kind is Kind.NOT_A_FOLDER


def test_a_full_disk_is_told_with_figures_step_and_need(small_disk: Path) -> None:
    with pytest.raises(OSError, match="No space left") as full:
        (small_disk / "x").write_bytes(bytes(2_000_000))
    fault = machine_fault_in(full.value)
    assert fault
    sentence = describe(fault, [Path("/proc"), small_disk / "run"], "the step 'Transform'", 40_000_000)
    assert sentence == (
        f"the disk of {small_disk} is full: 0.0 of 1.0 MB are left; the step 'Transform' needs about 40 MB; "
        "free space there, then run the same command again to resume"
    )
    assert describe(fault, remedy=START_AGAIN).endswith("free space there, then run the same command to start again")


def test_tensorflows_error_of_a_full_disk_names_its_path(small_disk: Path) -> None:
    with pytest.raises(tf.errors.OpError) as full:
        tf.io.write_file(f"{small_disk}/folder/x", bytes(2_000_000))
    fault = machine_fault_in(full.value)
    assert fault
    assert fault.kind is Kind.DISK_FULL
    assert describe(fault, [Path("/")]).startswith(f"the disk of {small_disk}")


def test_a_disk_without_inodes_is_told_as_that(small_disk: Path) -> None:
    with pytest.raises(OSError, match="No space left") as full:
        for number in range(100):
            (small_disk / str(number)).write_text("")
    fault = machine_fault_in(full.value)
    assert fault
    assert "it cannot hold more files (0 of 20 inodes are left)" in describe(fault, [small_disk])


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.DISK_FULL])
def test_every_fault_has_one_sentence(kind: Kind, tmp_path: Path) -> None:
    sentence = describe(MachineFault(kind, None), [tmp_path], "the step 'Train'")
    assert "the step 'Train'" in sentence
    assert "\n" not in sentence
    assert "{" not in sentence


def test_a_missing_right_names_the_folder_whose_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    fault = MachineFault(Kind.NO_RIGHT, tmp_path / "runs" / "logs")
    owner = f"{tmp_path} belongs to user {os.geteuid()} and has the mode 500"
    assert f"no permission to use {tmp_path}/runs/logs: {owner}" in describe(fault)


def test_too_many_open_files_stop_the_reading_of_data_and_quarantine_nothing(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"x")
    folder = LocalFolder(str(tmp_path))
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            folder.read("x.png", 10)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_command_says_it_without_a_traceback(tmp_path: Path) -> None:
    script = (
        "import errno\n"
        "from click.testing import CliRunner\n"
        "import click\n"
        "from pipeline.cli.options import handle_errors\n"
        "@click.command()\n"
        "@handle_errors\n"
        "def fails():\n"
        f"    raise OSError(errno.EROFS, 'Read-only file system', {str(tmp_path / 'x')!r})\n"
        "fails()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(
        f"error: {tmp_path}/x cannot be written, because its file system or file is read-only"
    )
    assert done.stderr.count("\n") == 1
