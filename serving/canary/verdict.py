"""Verdicts about a canary, and the criteria that they are based on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Finding(NamedTuple):
    """One criterion."""

    criterion: str
    value: float
    """How much worse the canary is; of `agreement` the agreement itself."""
    limit: float
    beyond: bool
    """Whether the value is beyond the limit."""
    p_value: float
    """Probability of such samples if the canary is not worse, corrected for the number of criteria."""
    text: str
    violated: bool = False


@dataclass(frozen=True)
class Verdict:
    """Decision with its reason, and what it is based on."""

    reason: str
    images: int
    findings: tuple[Finding, ...] = ()


class Promote(Verdict):
    """The canary is not worse than its limits allow."""


class RollBack(Verdict):
    """The canary is worse, or was observed too little in its time and must not stay."""


@dataclass(frozen=True)
class Wait(Verdict):
    """There is nothing to decide yet."""

    is_overdue: bool = False
    """Whether the time is over, and there are too few images to decide."""
