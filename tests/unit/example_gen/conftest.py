"""Fixtures of the ingestion's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.data_set import DataSet


@pytest.fixture
def data_set(tmp_path: Path) -> DataSet:
    """An empty data set."""
    return DataSet(tmp_path / "data")
