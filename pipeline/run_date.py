"""The day that a run is of: it decides which data a window of dates takes in."""

from __future__ import annotations

import datetime
import re

from components.errors import UserError
from pipeline.config import RunConfig

_KUBEFLOW = re.compile(r"\d{14}")  # What [[ScheduledTime]] becomes: backend/src/common/util/parameter_formatter.go.


def parse_run_date(text: str) -> datetime.date:
    """A date, or the day, in UTC, of a time: `2024-05-01`, RFC 3339, or Kubeflow's `20240501030000`; today if empty.

    Raises:
        UserError: it is none of these.
    """
    now = datetime.datetime.now(datetime.timezone.utc)
    if not text:
        return now.date()
    try:
        if _KUBEFLOW.fullmatch(text):
            return datetime.datetime.strptime(text, "%Y%m%d%H%M%S").date()
        # Python 3.10 reads neither a Z nor other than 3 or 6 digits of a second.
        plain = re.sub(r"\.\d+", "", re.sub(r"[zZ]$", "+00:00", text))
        time = datetime.datetime.fromisoformat(plain)
    except ValueError:
        raise UserError(
            f"{text!r} is no date of a run; write it as 2024-05-01, or as a time such as 2024-05-01T03:00:00Z"
        ) from None
    return (time if time.tzinfo is None else time.astimezone(datetime.timezone.utc)).date()


def on_date(config: RunConfig, date: datetime.date | None = None) -> RunConfig:
    """`config` with the dates of the data that a run on `date` reads, or today's; lists folders, opens no picture.

    Raises:
        UserError: there is no data up to then.
    """
    from components.example_gen.window import resolve_dates

    return config.model_copy(update={"data": resolve_dates(config.data, date or parse_run_date(""))})
