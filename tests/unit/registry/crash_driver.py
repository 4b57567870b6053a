"""Lets processes die, or their disk fail, at every step of a change to a registry, and checks what they leave.

    python crash_driver.py KIND OPERATION FOLDER [EVERY]

KIND: `kill-at-call` (SIGKILL before the k-th call that touches the file system, for every k), `kill-at-line` (before
the k-th line of the registry's code), `full-disk` (the k-th such call raises ENOSPC), `kill-at-random`.
OPERATION: `push`, `rollback`, `statistics`, `fetch`, `try-out`, `decide`.
EVERY: with 3 only every third k.
Prints a JSON object: `points` (k that were tried), `failures` (texts).

It runs as a process of its own because an audit hook cannot be taken out again, and because it forks.
"""

from __future__ import annotations

import errno
import itertools
import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common.errors import UserError
from registry.canary_policy import CanaryPolicy
from registry.hashing import content_hash, hash_folder
from registry.local_storage import LocalStorage
from registry.serving_record import CanaryDecision
from registry.store import Registry

BIRTH: dict[str, Any] = {
    "model_name": "nuclei",
    "data_fingerprint": "d",
    "baseline_version": None,
    "metrics": {},
    "config": {},
    "software": {},
}
TOUCHES = ("open", "os.", "shutil.", "fcntl.")


class Stopper:
    """Counts steps and does something at one of them."""

    def __init__(self) -> None:
        self.left: int | None = None
        self.act: Callable[[], None] = lambda: None

    def arm(self, steps: int, act: Callable[[], None]) -> None:
        self.left, self.act = steps, act

    def step(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.left = None
                self.act()


STOPPER = Stopper()


def on_event(event: str, args: tuple[Any, ...]) -> None:
    if event.startswith(TOUCHES):
        STOPPER.step()


def fsync(descriptor: int) -> None:
    """In place of the real one: a step, but no wait, for what a killed process has written the kernel keeps."""
    STOPPER.step()


def on_line(frame: Any, event: str, arg: Any) -> Any:
    if Path(frame.f_code.co_filename).parent.name != "registry":
        return None
    if event == "line":
        STOPPER.step()
    return on_line


def make_model(folder: Path, text: str) -> str:
    (folder / text / "variables").mkdir(parents=True, exist_ok=True)
    (folder / text / "saved_model.pb").write_text(f"graph of {text}")
    (folder / text / "variables" / "data").write_text(text * 100)
    return str(folder / text)


def push(uri: str, model: str) -> None:
    registry = Registry(uri)
    served = registry.served()
    manifest, _ = registry.push(model, **BIRTH)
    registry.serve_in_place_of(served, manifest.version)


def decide(uri: str) -> None:
    """Tries version 1 as a canary, and promotes it by a decision."""
    registry = Registry(uri)
    if registry.served() == 1:
        return
    registry.start_canary(1, 10, CanaryPolicy())
    canary = registry.canary()
    assert canary
    decision = CanaryDecision(
        version=1,
        stable=registry.served() or 0,
        outcome="promoted",
        reason="r",
        images=50,
        began=canary.since,
        decided=canary.since,
    )
    assert registry.decide_canary(decision)


class Trial:
    """One copy of a registry with two versions, the second served, in which an operation is disturbed."""

    def __init__(self, template: Path, folder: Path) -> None:
        shutil.copytree(template, folder)
        self.folder = folder
        self.uri = str(folder / "registry")
        self.models = folder / "models"
        self.operations: dict[str, Callable[[], object]] = {
            "push": lambda: push(self.uri, str(self.models / "c")),
            "rollback": lambda: Registry(self.uri).rollback(),
            "statistics": lambda: Registry(self.uri).record_statistics("f2", str(self.models / "c")),
            "try-out": lambda: Registry(self.uri).start_canary(1, 10),
            "decide": lambda: decide(self.uri),
            "fetch": lambda: Registry(self.uri).fetch(2, str(folder / "target")),
        }
        self.served_after = {"push": "c", "rollback": "a", "decide": "a"}

    def check(self, operation: str) -> None:
        """What must hold right after the disturbance, and once the operation is tried again."""
        self.check_whole(operation)
        seen = self.folders()
        after = self.served_after.get(operation, "b")
        if operation != "rollback" or self.served() != after:  # Rolling back is done once: twice means further back.
            self.operations[operation]()
        self.check_whole(operation)
        assert self.served() == after, "not served after a second try"
        push(self.uri, str(self.models / "d"))
        assert not list(Path(self.uri).glob(".staging-push-*")), "leftovers of the push"
        now = self.folders()
        assert all(now[number] == seen[number] for number in now.keys() & seen.keys()), "a number changed its meaning"
        assert set(now) == {manifest.version for manifest in Registry(self.uri).versions()}, "orphans"

    def check_whole(self, operation: str) -> None:
        registry = Registry(self.uri)
        assert self.served() in {"b", self.served_after.get(operation)}, f"{self.served()} is served"
        numbers = {registry.verify(manifest.version).version for manifest in registry.versions()}
        assert {1, 2, registry.served()} <= numbers, f"lost versions: {numbers}"
        known = {content_hash(hash_folder(LocalStorage(model))) for model in self.models.iterdir()}
        assert set(self.folders().values()) <= known, "half a version is visible"
        if (target := self.folder / "target").exists():
            assert hash_folder(LocalStorage(target)) == registry.manifest(2).files, "half a version was fetched"
        fingerprint, location = registry.latest_statistics(other_than="f0")
        expected = hash_folder(LocalStorage(self.models / {"f1": "a", "f2": "c"}[fingerprint]))
        assert hash_folder(LocalStorage(location)) == expected, "half of the statistics"

    def served(self) -> str:
        """The text of the model that is served."""
        served = Registry(self.uri).served()
        return Path(self.uri, "versions", str(served), "saved_model.pb").read_text().removeprefix("graph of ")

    def folders(self) -> dict[int, str]:
        """What TF Serving sees: number → content."""
        folders = Path(self.uri, "versions").iterdir()
        return {int(folder.name): content_hash(hash_folder(LocalStorage(folder))) for folder in folders}


def make_template(folder: Path) -> Path:
    uri = str(folder / "registry")
    for text in "ab":
        push(uri, make_model(folder / "models", text))
    for text in "cd":
        make_model(folder / "models", text)
    Registry(uri).record_statistics("f1", str(folder / "models" / "a"))
    return folder


def killed_at(steps: int, kind: str, operation: Callable[[], object]) -> bool:
    """Runs `operation` in a process that dies at the given step; False if it ended before."""
    child = os.fork()
    if child == 0:
        STOPPER.arm(steps, lambda: os.kill(os.getpid(), signal.SIGKILL))
        if kind == "kill-at-line":
            sys.settrace(on_line)
        operation()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status):
        assert os.WEXITSTATUS(status) == 0, "the operation failed of itself"
    return os.WIFSIGNALED(status)


def full_disk_at(steps: int, operation: Callable[[], object]) -> bool:
    """Runs `operation` while the given call fails once; False if there was no such call."""

    def fail() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    STOPPER.arm(steps, fail)
    try:
        operation()
    except (UserError, OSError) as error:
        assert "No space left" in str(error), error
        return True
    failed = STOPPER.left is None  # In the clean-up, where a failure is of no matter.
    STOPPER.left = None
    return failed


def killed_at_random(operation: Callable[[], object]) -> bool:
    child = os.fork()
    if child == 0:
        operation()
        os._exit(0)
    time.sleep(random.uniform(0, 0.04))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def disturb(kind: str, steps: int, operation: Callable[[], object]) -> bool:
    if kind == "full-disk":
        return full_disk_at(steps, operation)
    if kind == "kill-at-random":
        return steps < 40 and killed_at_random(operation)
    return killed_at(steps, kind, operation)


def main(kind: str, operation: str, folder: Path, every: int) -> None:
    os.fsync = fsync
    template = make_template(folder / "template")
    if kind in ("kill-at-call", "full-disk"):
        sys.addaudithook(on_event)
    failures = []
    points = 0
    for steps in itertools.count(step=every):
        trial = Trial(template, folder / str(steps))
        if not disturb(kind, steps, trial.operations[operation]):
            break
        points += 1
        try:
            trial.check(operation)
        except (AssertionError, OSError, UserError, ValueError) as error:
            failures.append(f"{kind} {steps} of {operation}: {error!r}")
        shutil.rmtree(trial.folder)
    print(json.dumps({"points": points, "failures": failures}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int((*sys.argv, 1)[4]))
