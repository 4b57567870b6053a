"""One cluster for all tests of a process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.cluster import Cluster, running_cluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A running cluster; skips the test where there can be none."""
    with running_cluster() as cluster:
        yield cluster
