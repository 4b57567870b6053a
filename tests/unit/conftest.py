"""What many tests share: made once, read only."""

from __future__ import annotations

import pytest

from tests.support.transformed import TINY, Transformed, make_pair, run_transform


@pytest.fixture(scope="session")
def transformed(tmp_path_factory: pytest.TempPathFactory) -> Transformed:
    """Twelve pairs of 40×56, transformed to 32×32."""
    return run_transform([make_pair(i) for i in range(12)], TINY, tmp_path_factory.mktemp("transformed"))
