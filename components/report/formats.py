"""Formats figures for display; missing values are a dash."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable
from typing import TypeGuard

from common.records import SPLITS
from components.evaluator.results import Estimate
from components.example_gen.quarantine import IngestionSummary

ABSENT = "–"
_NARROW_SPACE = "\u202f"  # a narrow no-break space between groups of digits


def ratio(value: float | None, digits: int = 3) -> str:
    """A metric in 0…1, such as `0.842`."""
    return ABSENT if not is_number(value) else f"{value:.{digits}f}"


def interval(estimate: Estimate) -> str:
    """The bounds of an estimate, such as `0.81–0.87`; empty where it has none."""
    if not is_number(estimate.low) or not is_number(estimate.high):
        return ""
    return f"{estimate.low:.2f}–{estimate.high:.2f}"


def change(value: float | None) -> str:
    """A difference with its sign, such as `+0.012` or `−0.003`; `±0.000` if it rounds to 0."""
    if not is_number(value):
        return ABSENT
    size = f"{abs(value):.3f}"
    sign = "±" if float(size) == 0 else "+" if value > 0 else "−"
    return sign + size


def percent(share: float | None) -> str:
    """A share with about two significant digits: `77 %`, `1.4 %`, `0.03 %`."""
    if not is_number(share):
        return ABSENT
    value = 100 * share
    if value == 0:
        return "0"
    if value < 0.001:
        return f"<{_NARROW_SPACE}0.001{_NARROW_SPACE}%"
    text = f"{value:.0f}" if value >= 10 else f"{value:.2g}" if value >= 0.01 else f"{value:.3f}"
    return f"{text}{_NARROW_SPACE}%"


def count(value: int | None) -> str:
    """A whole number in groups of three: `1 942 273`."""
    return ABSENT if value is None else f"{value:,}".replace(",", _NARROW_SPACE)


def large(value: int) -> str:
    """A large number in short: `1.94 M`, `23.6 k`, `812`."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{_NARROW_SPACE}{letter}" if value < 1000 * size else count(value)
    return str(value)


def duration(seconds: float) -> str:
    """Seconds as `48 s`, `2 min 05 s` or `1 h 12 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def memory(megabytes: float) -> str:
    """Memory as `412 MB` or `3.1 GB`."""
    return f"{megabytes:.0f}{_NARROW_SPACE}MB" if megabytes < 1000 else f"{megabytes / 1000:.1f}{_NARROW_SPACE}GB"


def moment(when: datetime.datetime) -> str:
    """A date and time such as `20 November 2026, 18:12 UTC`."""
    return f"{when.day} {when:%B %Y, %H:%M} {when.tzname() or ''}".rstrip()


def void_shares(ingestion: IngestionSummary) -> str:
    """The share of void pixels in each split that has pixels, such as `train 1.4 %, eval 0, test 0`."""
    shares = {split: void_share(ingestion, split) for split in SPLITS}
    return ", ".join(f"{split} {percent(share)}" for split, share in shares.items() if share is not None)


def void_share(ingestion: IngestionSummary, split: str) -> float | None:
    """The share of a split's void pixels; `None` if it has no pixel."""
    has_pixels = ingestion.void_pixels.get(split, 0) or any(ingestion.class_pixels.get(split, ()))
    return ingestion.void_share(split) if has_pixels else None


def is_number(value: float | None) -> TypeGuard[float]:
    """Returns whether there is a finite value."""
    return value is not None and math.isfinite(value)


FILTERS: dict[str, Callable[..., str]] = {
    "change": change,
    "count": count,
    "duration": duration,
    "interval": interval,
    "memory": memory,
    "percent": percent,
    "ratio": ratio,
    "words": lambda name: str(name).replace("_", " "),
}
"""Filters of the pages' templates."""
