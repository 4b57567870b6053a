"""What workers share is made by the first of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.made_once import made_once


@pytest.fixture
def factory(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The factory of a worker, whose folder is below the session's."""
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
    monkeypatch.setattr(tmp_path_factory, "getbasetemp", lambda: tmp_path / "gw0")
    return tmp_path_factory


def test_the_first_worker_makes_it_and_the_next_takes_it(factory: pytest.TempPathFactory) -> None:
    made: list[Path] = []

    def make(folder: Path) -> Path:
        made.append(folder)
        (folder / "file").write_text("content")
        return folder / "file"

    files = {made_once(factory, "shared", make) for _ in range(2)}
    assert [file.read_text() for file in files] == ["content"]
    assert len(made) == 1


def test_what_cannot_be_made_is_tried_again(factory: pytest.TempPathFactory) -> None:
    def fail(folder: Path) -> int:
        raise ValueError(folder.name)

    with pytest.raises(ValueError, match="broken"):
        made_once(factory, "broken", fail)
    assert made_once(factory, "broken", lambda _: 1) == 1


def test_a_process_of_its_own_makes_it_for_itself(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    folders = {made_once(tmp_path_factory, "alone", lambda folder: folder) for _ in range(2)}
    assert len(folders) == 2
