"""A workspace of made-up runs in all states."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from tests.support.made_up_workspace import MadeUp, make_workspace


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> MadeUp:
    """The workspace, which no test may change."""
    return make_workspace(tmp_path_factory.mktemp("made-up") / "runs" / "nuclei")


@pytest.fixture
def made_up(kept: MadeUp, tmp_path: Path) -> MadeUp:
    """A copy of the workspace, which a test may change."""
    folder = tmp_path / "runs" / "nuclei"
    shutil.copytree(kept.folder, folder)
    return dataclasses.replace(kept, folder=folder)
