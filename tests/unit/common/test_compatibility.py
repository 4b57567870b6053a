"""What TensorFlow says while it is imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FAKE = """
import os
os.write(2, b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\\n")
os.write(2, b"I0000 00:00:1.1 1 port.cc:153] oneDNN custom operations are on.\\n")
os.write(2, b"E0000 00:00:1.1 1 cuda.cc:1] the driver is too old\\n")
{}
"""
PROGRAM = "import os, common.compatibility as c; c.import_tensorflow(); os.write(2, b'I0000 later\\n')"


def stderr_of_import(tmp_path: Path, more: str = "") -> list[str]:
    """What is written by a process whose TensorFlow says what 2.21 does, and does `more`."""
    (tmp_path / "tensorflow.py").write_text(FAKE.format(more))
    search = f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(Path.cwd())!r}]; "
    done = subprocess.run([sys.executable, "-c", search + PROGRAM], capture_output=True, text=True, check=False)
    return done.stderr.splitlines()


def test_notes_are_left_out_and_errors_kept(tmp_path: Path) -> None:
    assert stderr_of_import(tmp_path) == ["E0000 00:00:1.1 1 cuda.cc:1] the driver is too old", "I0000 later"]


def test_an_import_that_fails_says_all_it_has_to(tmp_path: Path) -> None:
    lines = stderr_of_import(tmp_path, "raise ImportError('a library is missing')")
    assert lines[0].startswith("E0000") and lines[-1] == "ImportError: a library is missing"
