from __future__ import annotations

import datetime

import pytest

from common.errors import UserError
from pipeline.dag.run_date import parse_run_date


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2024-05-01", "2024-05-01"),
        ("2024-05-01T23:30:00Z", "2024-05-01"),
        ("2024-05-01T23:30:00.123456789z", "2024-05-01"),
        ("2024-05-01T23:30:00-02:00", "2024-05-02"),
        ("2024-05-01T00:30:00+02:00", "2024-04-30"),
        ("20240501030000", "2024-05-01"),
    ],
)
def test_dates_and_times_tell_the_day_in_utc(text: str, date: str) -> None:
    assert parse_run_date(text).isoformat() == date


def test_without_a_text_it_is_today() -> None:
    before = datetime.datetime.now(datetime.timezone.utc).date()
    assert before <= parse_run_date("") <= datetime.datetime.now(datetime.timezone.utc).date()


@pytest.mark.parametrize("text", ["yesterday", "2024-13-01", "20241301000000", "1714521600"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="is not a run date"):
        parse_run_date(text)
