"""The commit that the code was checked out at."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent
_SECONDS = 5


def git_commit(root: Path = ROOT) -> str | None:
    """Returns the commit of a checkout in `root`, with `, changed since` if files differ from it.

    `None` if the code is installed, not checked out, or Git does not answer.
    """
    if not (root / ".git").exists():
        return None
    try:
        commit = _git(root, "rev-parse", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{commit}, changed since" if changed else commit


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_SECONDS)
    return done.stdout.strip()
