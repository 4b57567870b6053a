"""Versions when the server ends."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from registry.store import Registry
from serving.batching import Servable
from serving.metrics import Metrics
from serving.versions import loaded
from serving.versions.loaded import Versions


class Closable:
    """In place of a model: remembers that it was closed."""

    closed = False

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("in_use", [False, True])
def test_no_task_remains_whether_or_not_a_version_is_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_use: bool
) -> None:
    """A task that remains is reported by Python as "Task was destroyed but it is pending!"."""
    monkeypatch.setattr(loaded, "CLOSING_SECONDS", 0.05 if in_use else 5)
    model: Any = Closable()

    async def close() -> int:
        versions = Versions(Registry(str(tmp_path)), dict, Metrics())
        versions._loaded[1] = servable = Servable("roofs", 1, model)
        if in_use:
            servable.__enter__()
        await versions.close()
        return len(asyncio.all_tasks())

    assert asyncio.run(close()) == 1  # The one that counts.
    assert model.closed is not in_use
