"""Runs `segpipe` and kills it with SIGKILL at a step of the controller of canaries.

python -m tests.support.canary_killer POINT serve …
python -m tests.support.canary_killer POINT rollout decide …
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import serving.canary.controller as controller
from registry.store import Registry
from serving.canary.verdict import Wait


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def before(owner: Any, name: str, when: Callable[..., bool] = lambda *_: True) -> None:
    """Kills the process when a function is called."""
    real = getattr(owner, name)

    def wrapped(*args: Any, **named: Any) -> Any:
        if when(*args):
            die()
        return real(*args, **named)

    setattr(owner, name, wrapped)


def after(owner: Any, name: str, when: Callable[[Any], bool] = lambda _: True) -> None:
    """Kills the process when a function returns."""
    real = getattr(owner, name)

    def wrapped(*args: Any, **named: Any) -> Any:
        result = real(*args, **named)
        if when(result):
            die()
        return result

    setattr(owner, name, wrapped)


def while_comparing() -> None:
    from serving.canary import trial

    calls = iter(range(1000))
    before(trial, "_agreement", lambda *_: next(calls) == 5)


def while_switching() -> None:
    from serving.versions.loaded import Versions

    before(Versions, "_unload")


POINTS: dict[str, Callable[[], None]] = {
    "comparing": while_comparing,
    "observed": lambda: before(controller, "decide"),
    "decided": lambda: after(controller, "decide", lambda verdict: not isinstance(verdict, Wait)),
    "writing": lambda: before(Path, "replace", lambda _, target: Path(target).name == "served.json"),
    "written": lambda: after(Registry, "decide_canary"),
    "switching": while_switching,
    "telling": lambda: before(controller, "send"),
    "told": lambda: after(controller, "send"),
}

if __name__ == "__main__":
    from pipeline.cli.main import main

    POINTS[sys.argv[1]]()
    sys.argv = ["segpipe", *sys.argv[2:]]
    main()
