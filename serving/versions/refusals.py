"""Refused versions, with exponential backoff before each is tried again."""

from __future__ import annotations

import time
from typing import NamedTuple

FIRST_RETRY_SECONDS = 5.0
LAST_RETRY_SECONDS = 300.0


class _Refusal(NamedTuple):
    again_at: float
    wait: float


class Refusals:
    """Exponential backoff by version: 5 s after the first refusal, then twice as long each time, 5 minutes at most."""

    def __init__(self) -> None:
        self._by_version: dict[int, _Refusal] = {}

    def refuse(self, version: int) -> float:
        """Records a refusal; returns the seconds until the version is tried again."""
        before = self._by_version.get(version)
        wait = min(2 * before.wait, LAST_RETRY_SECONDS) if before else FIRST_RETRY_SECONDS
        self._by_version[version] = _Refusal(time.monotonic() + wait, wait)
        return wait

    def holds(self, version: int) -> bool:
        """Whether the version was refused and its backoff lasts."""
        refusal = self._by_version.get(version)
        return refusal is not None and refusal.again_at > time.monotonic()

    def forgive(self, version: int) -> None:
        """Clears the refusals of a version that has been loaded."""
        self._by_version.pop(version, None)

    def clear(self) -> None:
        """Clears all refusals, so that each version is tried at once."""
        self._by_version.clear()
