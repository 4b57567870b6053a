"""Settings of the monitor: what a window is, and when it has drifted."""

from __future__ import annotations

import datetime
import re
from typing import Literal, NamedTuple

from pydantic import Field

from common.errors import UserError
from common.plurals import counted
from common.settings import Settings

_TIME = re.compile(r"(\d+)\s*(s|m|h|d)")
_COUNT = re.compile(r"(\d+)(?:\s*(?:requests|images))?")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DAY = 86400
_LONGEST_WINDOW = 366 * _DAY

LogFormat = Literal["segpipe", "tensorflow_serving", "kserve"]


class WindowSize(NamedTuple):
    """Size of the windows: a time, or a number of images."""

    seconds: int | None
    images: int | None

    def __str__(self) -> str:
        if self.seconds is not None:
            return str(datetime.timedelta(seconds=self.seconds))
        return counted(self.images or 0, "image")


class MonitorSettings(Settings):
    """What is compared, and when a window has drifted."""

    false_alarms: float = Field(
        default=0.01, gt=0, lt=0.5, description="Probability that any feature of a window without drift is reported."
    )
    least_distance: float = Field(
        default=0.1, ge=0, le=1, description="Smallest distance of a feature that counts, however significant it is."
    )
    least_images: int = Field(default=50, ge=10, description="Images that a window must have to be judged.")
    frames: int = Field(
        default=1, ge=1, description="Successive images that show the same: so many count as one, in both samples."
    )
    windows_in_a_row: int = Field(
        default=2, ge=1, description="Windows in a row that must drift before the webhook and a retraining."
    )
    delay_seconds: float = Field(
        default=120, ge=0, le=_DAY, description="Time after the end of a window until its files are complete."
    )


def parse_window(text: str) -> WindowSize:
    """Parses `1h`, `15m`, `2d` or `500 requests`.

    Raises:
        UserError: it is none of these.
    """
    stripped = text.strip()
    if found := _TIME.fullmatch(stripped):
        size = WindowSize(int(found[1]) * _SECONDS[found[2]], None)
    elif found := _COUNT.fullmatch(stripped):
        size = WindowSize(None, int(found[1]))
    else:
        size = WindowSize(0, None)
    if not (size.seconds or size.images):
        raise UserError(f"--window {text!r} is not a window: give a time, such as 1h or 15m, or a number of images")
    if size.seconds is not None and size.seconds > _LONGEST_WINDOW:
        raise UserError(f"--window {text!r} is longer than {_LONGEST_WINDOW // _DAY} days: give a shorter time")
    return size
