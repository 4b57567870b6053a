from __future__ import annotations

import pytest
import tf_keras as keras


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """Random weights are the same in each run of a test."""
    keras.utils.set_random_seed(0)
