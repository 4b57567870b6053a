"""Fixtures of the configuration's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

MINIMAL = """
name: tiny
data:
  source: {type: folders, root: data}
  classes: [background, thing]
"""


@pytest.fixture
def minimal(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(MINIMAL)
    return path
