"""A proposed setting and its reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Proposal:
    """A key of the configuration, its proposed value, and the reason in one sentence."""

    key: str
    """The key's path, such as `transform.height`."""
    value: Any
    reason: str
