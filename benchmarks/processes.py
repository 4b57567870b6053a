"""Sides of a benchmark in processes of their own: none warms anything up for another, and each has its own peak."""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from typing import Any


def add_side(parser: argparse.ArgumentParser, sides: Sequence[str]) -> None:
    """Adds the argument by which a child process is told its side; no person gives it."""
    parser.add_argument("--side", choices=sides, help=argparse.SUPPRESS)


def run_in_turn(
    module: str, sides: Sequence[str], rounds: int, in_first: Sequence[str] = ()
) -> dict[str, list[dict[str, Any]]]:
    """What each side reported in each of the rounds, in which the sides follow one another.

    Processes of the first round have the further arguments `in_first`.  Each report also goes to stderr as it comes,
    so that a side that fails later does not take the others along.
    """
    runs: dict[str, list[dict[str, Any]]] = {side: [] for side in sides}
    for number in range(1, rounds + 1):
        for side in sides:
            runs[side].append(run_side(module, side, *(in_first if number == 1 else ())))
            print(f"round {number}, side {side}: {json.dumps(runs[side][-1])}", file=sys.stderr, flush=True)
    return runs


def run_side(module: str, side: str, *more: str) -> dict[str, Any]:
    """Runs `module` anew with this process' arguments and `--side`; what it `report`s is the result.

    Raises:
        SystemExit: the process failed; it says why.
    """
    command = [sys.executable, "-W", "ignore", "-m", module, *sys.argv[1:], *more, "--side", side]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        sys.exit(f"{module} --side {side} failed:\n{done.stderr[-4000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def report(result: dict[str, Any]) -> None:
    """Hands a side's result to the process that started it."""
    print(json.dumps(result))


def peak_bytes() -> int:
    """The most memory that this process has had.

    A process begins with the peak of the one that started it, so that one imports nothing heavy.
    """
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
