"""What steps say, as the runner hears it."""

from __future__ import annotations

import pytest

from common import progress


@pytest.fixture
def heard(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level("INFO", progress.LOGGER_NAME)
    return caplog


def told(heard: pytest.LogCaptureFixture) -> list[tuple[str, bool]]:
    """What was said, and whether it passes."""
    return [(record.getMessage(), getattr(record, "transient", False)) for record in heard.records]


def test_a_report_stays_and_an_update_passes(heard: pytest.LogCaptureFixture) -> None:
    progress.report("done")
    progress.update("at work")
    assert told(heard) == [("done", False), ("at work", True)]


def test_what_a_part_says_passes_and_names_the_part(heard: pytest.LogCaptureFixture) -> None:
    with progress.part("trial 1 of 2"):
        progress.report("epoch 1/3")
        progress.update("step 4")
    progress.report("done")
    assert told(heard) == [("trial 1 of 2: epoch 1/3", True), ("trial 1 of 2: step 4", True), ("done", False)]


def test_a_part_that_fails_ends_too(heard: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ValueError, match="no"), progress.part("trial 1 of 2"):
        raise ValueError("no")
    progress.report("done")
    assert told(heard) == [("done", False)]
