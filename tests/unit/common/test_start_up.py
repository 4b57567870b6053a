"""Garbage is looked for less often until a program has started."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterator

import pytest

from common.start_up import collect_as_usual, collect_seldom


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


def test_the_collector_is_as_before_when_all_is_imported() -> None:
    collect_as_usual()
    usual = gc.get_threshold()
    collect_seldom()
    assert gc.get_threshold()[0] >= 10 * usual[0]
    assert gc.isenabled()
    collect_as_usual()
    assert gc.get_threshold() == usual


def test_it_does_not_look_again_at_what_the_start_has_left() -> None:
    collect_seldom()
    left = [[] for _ in range(1000)]  # type: ignore[var-annotated]
    collect_as_usual()
    frozen = gc.get_freeze_count()
    assert frozen >= len(left)
    more = [[] for _ in range(1000)]  # type: ignore[var-annotated]
    collect_as_usual()
    kept = gc.get_freeze_count()
    assert kept < frozen + len(more), "what a run leaves is collected when the next begins in the same process"


@pytest.mark.parametrize(
    "begin",
    [
        "from pipeline.cli.main import cli; cli.main(['versions', '--registry', 'nowhere'], standalone_mode=False)",
        "from pipeline.kubeflow.pod.entrypoint import run_command; run_command(['notify', '--executor_input', '{}'])",
    ],
)
def test_programs_begin_so(begin: str) -> None:
    code = f"import contextlib, gc\nwith contextlib.suppress(BaseException):\n    {begin}\nprint(gc.get_threshold())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "(20000, 10, 10)"
