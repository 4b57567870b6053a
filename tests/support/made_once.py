"""What takes long to make and is only read: made by one of xdist's workers, for all of them."""

from __future__ import annotations

import fcntl
import os
import pickle
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

Made = TypeVar("Made")


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], Made]) -> Made:
    """Returns what `make` makes in the folder that it is given; workers that come later get a copy from a pickle."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return make(factory.mktemp(name))
    shared = factory.getbasetemp().parent  # Of this session: each worker's own folder is below it.
    kept = shared / f"{name}.pickle"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            folder = tempfile.mkdtemp(prefix=f"{name}-", dir=shared)
            kept.write_bytes(pickle.dumps(make(Path(folder))))
    return pickle.loads(kept.read_bytes())
