"""Programs of this machine, and what they say when they fail."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence

from .errors import ClusterError


def run(*command: object, stdin: str | None = None, env: dict[str, str] | None = None) -> str:
    """Runs a program and gives back what it wrote; its last words are the error if it fails."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(words, input=stdin, env=env, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise ClusterError(f"this machine has no program '{words[0]}'") from None
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise ClusterError(f"{' '.join(words[:6])} failed: {said[-1] if said else f'status {done.returncode}'}")
    return done.stdout


def succeeds(*command: object) -> bool:
    """Whether a program ends with status 0."""
    words: Sequence[str] = [str(word) for word in command]
    try:
        return subprocess.run(words, capture_output=True, stdin=subprocess.DEVNULL, check=False).returncode == 0
    except FileNotFoundError:
        return False


def wait(what: str, done: Callable[[], bool], seconds: float = 120, *, look: str = "") -> None:
    """Asks again and again, until it is so.

    Raises:
        ClusterError: It was not so in time; `look` says where to read on.
    """
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise ClusterError(f"{what} within {seconds:.0f} s" + (f"; see {look}" if look else ""))
        time.sleep(0.3)
