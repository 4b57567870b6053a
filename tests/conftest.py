"""What holds for all tests, whoever starts them."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Generator
from typing import Any

import hypothesis
import pytest

from common.beam_inspection import remember_inspections
from common.start_up import collect_seldom
from common.tensorflow_environment import set_tensorflow_environment
from tests.support.process_memory import Releaser, keep_few_arenas, over_limit, peak_megabytes

collect_seldom()
set_tensorflow_environment()  # As the commands do, for the tests' own processes and those that they start.
# oneDNN's own allocator, with which training is faster, keeps the most that it has ever held: 1 GB after many networks.
os.environ.setdefault("TF_ONEDNN_USE_SYSTEM_ALLOCATOR", "1")
keep_few_arenas()
# A deadline measures how busy the machine is.
hypothesis.settings.register_profile("segpipe", deadline=None)
hypothesis.settings.load_profile("segpipe")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # As shells start a command in the background; processes of the tests would inherit it, and be deaf to Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)

_PEAK = "peak_megabytes"
_releaser = Releaser()
_peaks: dict[str, int] = {}
"""Megabytes by the name of a process."""


def pytest_make_parametrize_id(val: object) -> str | None:
    """Names a file's bytes by their length: they may hold a time, and xdist's workers must agree on a test's name."""
    if isinstance(val, bytes) and len(val) > 16 and not val.isascii():
        return f"{len(val)} bytes"
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Prepares Beam as a run does, once a test has imported it."""
    if "apache_beam.pipeline" in sys.modules:
        remember_inspections()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, Any, Any]:
    """Frees what a test leaves behind, and more readily what a module does.

    After the whole protocol: until then pytest holds the values of the test's fixtures.
    """
    result = yield
    if nextitem is not None and nextitem.path == item.path:
        _releaser.after_test()
    elif isinstance(item, pytest.Function):
        _releaser.after_module(item.module)
    return result


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Notes this process' peak: for xdist's controller, if it is one of its workers."""
    output = getattr(session.config, "workeroutput", None)
    if output is None:
        _peaks["the process of the tests"] = peak_megabytes()
    else:
        output[_PEAK] = peak_megabytes()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Takes the peak of a worker that has ended; one that crashed has none."""
    output = getattr(node, "workeroutput", {})
    if _PEAK in output:
        _peaks[f"the worker {node.gateway.id}"] = output[_PEAK]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Reports the processes that held too much memory."""
    for line in over_limit(_peaks):
        terminalreporter.write_line(line, yellow=True)
