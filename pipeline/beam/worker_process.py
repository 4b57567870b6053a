"""Processes of this machine that run Beam's Python worker, forked from one that has imported the libraries.

Beam's own way (`SubprocessSdkWorker`, `worker_pool_main`) starts an interpreter for each worker of each step, which
imports TensorFlow and TFX anew: some 10 s and 800 MB a worker.  A forked worker is there at once, and shares that
memory.
"""

from __future__ import annotations

import functools
import logging
import logging.handlers
import multiprocessing
import os
import signal
import threading
from collections.abc import Mapping
from multiprocessing import connection, forkserver
from multiprocessing.context import ForkServerContext, ForkServerProcess
from typing import Any

from common import progress
from pipeline.beam.worker_reports import WorkerReports

_PRELOADED = ["pipeline.beam.preloaded"]
_FORMAT = "%(asctime)s %(levelname)s %(name)s[%(process)d]: %(message)s"


@functools.cache
def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    return context


@functools.cache
def _reports() -> Any:
    """Returns the queue in which workers report their progress, and starts to read it."""
    queue = _context().Queue()
    logging.handlers.QueueListener(queue, WorkerReports()).start()
    return queue


def import_ahead() -> None:
    """Starts the process that workers are forked from; its imports go on beside this process."""
    _context()
    forkserver.ensure_running()


def start_worker(environment: Mapping[str, str]) -> ForkServerProcess:
    """Starts a worker.

    Args:
        environment: Variables that tell Beam's `sdk_worker_main` its id and its runner's addresses.
    """
    process = _context().Process(target=_run, args=(dict(environment), _reports()), daemon=True)
    process.start()
    return process


def describe_death(status: int | None) -> str:
    """Returns how a worker ended, without the end of the sentence."""
    if status == -signal.SIGKILL:
        return "a Beam worker was killed (signal 9), as the system does if memory runs out"
    return f"a Beam worker ended with status {status}; its last messages are in the log"


def _run(environment: dict[str, str], reports: Any) -> None:
    os.environ.update(environment)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    logging.basicConfig(level=logging.INFO, format=_FORMAT)
    logger = logging.getLogger(progress.LOGGER_NAME)
    logger.setLevel(logging.INFO)
    logger.addHandler(logging.handlers.QueueHandler(reports))
    from apache_beam.runners.worker import sdk_worker_main

    sdk_worker_main.main([])


def _end_with_parent() -> None:
    """Ends this process when the one that asked for it has ended, however it did."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)
