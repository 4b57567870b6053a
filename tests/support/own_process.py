"""A process for calls that keep memory: XLA keeps its programs until a process ends, and TensorFlow many graphs."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sys
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from pathlib import Path

import pytest


@contextlib.contextmanager
def own_process() -> Iterator[Executor]:
    """Makes an executor of one fresh process: functions of modules, and what they cache, stay there until its end."""
    with ProcessPoolExecutor(max_workers=1, mp_context=multiprocessing.get_context("spawn")) as executor:
        with pytest.MonkeyPatch.context() as patch:
            # IPython, which Beam imports, appends a folder with a package `tests`, which would hide these tests.
            folders = [folder for folder in sys.path if not Path(folder, "tests", "__init__.py").exists()]
            patch.setattr(sys, "path", folders)
            executor.submit(os.getpid).result()  # Starts the process, which takes over the path.
        yield executor
