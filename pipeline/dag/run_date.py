"""Run date: the day that selects the data in a window of dates."""

from __future__ import annotations

import datetime
import re

from common.errors import UserError
from pipeline.config.run_config import RunConfig

# Format of an expanded [[ScheduledTime]]: backend/src/common/util/parameter_formatter.go.
_KUBEFLOW = re.compile(r"\d{14}")
_PLACEHOLDER = re.compile(r"\[\[.*\]\]|\{\{.*\}\}")


def parse_run_date(text: str) -> datetime.date:
    """Parses a date, or the UTC day of a time: `2024-05-01`, RFC 3339, or Kubeflow's `20240501030000`; today if empty.

    Raises:
        UserError: the format is unknown; a placeholder that was not expanded has its own message.
    """
    if is_placeholder(text):
        raise UserError(
            f"{text!r} is a placeholder that Kubeflow did not expand; leave the date of the run empty to take the time "
            "of its creation, or write it as 2024-05-01; `segpipe schedule CONFIG` repairs a schedule that has it"
        )
    now = datetime.datetime.now(datetime.timezone.utc)
    if not text:
        return now.date()
    try:
        if _KUBEFLOW.fullmatch(text):
            return datetime.datetime.strptime(text, "%Y%m%d%H%M%S").date()
        # Python 3.10 parses no Z, and only 3 or 6 digits of a second.
        plain = re.sub(r"\.\d+", "", re.sub(r"[zZ]$", "+00:00", text))
        time = datetime.datetime.fromisoformat(plain)
    except ValueError:
        raise UserError(
            f"{text!r} is not a run date; write it as 2024-05-01, or as a time such as 2024-05-01T03:00:00Z"
        ) from None
    return (time if time.tzinfo is None else time.astimezone(datetime.timezone.utc)).date()


def is_placeholder(text: str) -> bool:
    """Whether `text` is a Kubeflow placeholder, such as `[[ScheduledTime]]` or `{{$.pipeline_job_uuid}}`."""
    return bool(_PLACEHOLDER.fullmatch(text.strip()))


def on_date(config: RunConfig, date: datetime.date | None = None) -> RunConfig:
    """Returns `config` with the dates of the data that a run on `date` (default: today) reads; lists folders only.

    Raises:
        UserError: there is no data up to that date.
    """
    from components.example_gen.window import resolve_dates

    return config.model_copy(update={"data": resolve_dates(config.data, date or parse_run_date(""))})
