"""The commit of a checkout."""

from __future__ import annotations

import subprocess
from pathlib import Path

from common.git_commit import git_commit


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b.example", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_a_checkout_names_its_commit_and_whether_files_changed(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    (tmp_path / "a.py").write_text("a = 1\n")
    git(tmp_path, "add", "a.py")
    git(tmp_path, "commit", "--quiet", "-m", "a")
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert git_commit(tmp_path) == commit
    (tmp_path / "a.py").write_text("a = 2\n")
    assert git_commit(tmp_path) == f"{commit}, changed since"


def test_installed_code_has_none(tmp_path: Path) -> None:
    assert git_commit(tmp_path) is None


def test_a_damaged_checkout_ends_nothing(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    assert git_commit(tmp_path) is None
