"""What the tests of the trainer share."""

from __future__ import annotations

import pytest

from common.compatibility import skip_autograph_for_keras


@pytest.fixture(scope="session", autouse=True)
def fast_tracing() -> None:
    """As every training begins."""
    skip_autograph_for_keras()
