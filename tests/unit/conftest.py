"""What many tests share: made once, read only."""

from __future__ import annotations

import pytest

from tests.support.made_once import made_once
from tests.support.transformed import TINY, Transformed, make_pair, run_transform


@pytest.fixture(scope="session")
def transformed(tmp_path_factory: pytest.TempPathFactory) -> Transformed:
    """Twelve pairs of 40×56, transformed to 32×32."""
    pairs = [make_pair(i) for i in range(12)]
    return made_once(tmp_path_factory, "transformed", lambda folder: run_transform(pairs, TINY, folder))
