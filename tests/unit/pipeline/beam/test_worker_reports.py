"""Progress that several workers report."""

from __future__ import annotations

import logging

import pytest

from common import progress
from pipeline.beam.worker_reports import WorkerReports


def report(worker: int, done: int) -> logging.LogRecord:
    record = logging.LogRecord(progress.LOGGER_NAME, logging.INFO, "", 0, f"ingested {done} of 9 pairs", (), None)
    record.process = worker
    setattr(record, progress.COUNTED, ("ingested", done, 9, "pairs"))
    return record


def test_what_each_has_counted_is_added_up(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, progress.LOGGER_NAME)
    reports = WorkerReports()
    for worker, done in ((1, 2), (2, 3), (1, 4)):
        reports.emit(report(worker, done))
    assert caplog.messages == [f"ingested {done} of 9 pairs" for done in (2, 5, 7)]


def test_other_messages_are_passed_on(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, progress.LOGGER_NAME)
    WorkerReports().emit(logging.LogRecord(progress.LOGGER_NAME, logging.INFO, "", 0, "a note", (), None))
    assert caplog.messages == ["a note"]
