"""Fixtures of the tests of annotation formats."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.annotated_set import AnnotatedSet


@pytest.fixture
def annotated(tmp_path: Path) -> AnnotatedSet:
    """An empty data set."""
    return AnnotatedSet(tmp_path / "data")
