"""Variables that limit TensorFlow's threads."""

from __future__ import annotations

import pytest

from common.tensorflow_environment import thread_limits


def test_a_variable_that_is_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "7")
    monkeypatch.delenv("TF_NUM_INTEROP_THREADS", raising=False)
    assert thread_limits(2) == {"TF_NUM_INTEROP_THREADS": "2"}
