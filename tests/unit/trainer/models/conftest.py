from __future__ import annotations

import pytest
import tf_keras as keras


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """Random weights need a seed wherever an earlier test of this process has trained deterministically."""
    keras.utils.set_random_seed(0)
