"""Observations of a canary in a request log, where requests are split by a gateway or by the apps.

Both versions have answered different images, so their agreement is not known; equal images (by digest) count once for
each version.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from common.errors import UserError
from pipeline.monitor.settings import LogFormat
from pipeline.monitor.sources import open_source
from registry.serving_record import Canary
from serving.canary.observations import Observations, Sample
from serving.request_log.folder import LogFolder
from serving.request_log.rows import OK, LoggedImage

_NOT_OF_THE_VERSION = ("RESOURCE_EXHAUSTED", "CANCELLED")
"""Statuses of requests that the server or the client ended, whatever version was asked."""


class LoggedObservations:
    """Observations in one request log."""

    def __init__(self, log: str, kind: LogFormat) -> None:
        LogFolder(log)  # An address of an unknown kind is an error now, and not at each look.
        self._log = log
        self._kind = kind

    def observe(self, canary: Canary, stable: int) -> Observations:
        """Returns the images that both versions were given since the canary began.

        Raises:
            UserError: the log cannot be read, or does not say when its requests were.
        """
        now = datetime.datetime.now(datetime.timezone.utc)
        source = open_source(self._log, self._kind, stable)
        if not source.has_times:
            raise UserError(
                f"the log {self._log} has rows without a time, so those since the canary began are not known: "
                "log with times, or decide with `segpipe rollout promote` and `rollback`"
            )
        rows = source.between(canary.since, now)
        samples = [samples_of(rows, version) for version in (stable, canary.version)]
        minutes = (now - canary.since).total_seconds() / 60
        return Observations(samples[0], samples[1], minutes, note=_note(samples[1], canary.version))


def samples_of(rows: Sequence[LoggedImage], version: int) -> tuple[Sample, ...]:
    """Returns the samples of a version among rows, which are ordered by time."""
    seen: set[str] = set()
    samples = []
    for row in rows:
        if row.version != version or row.status in _NOT_OF_THE_VERSION or row.digest in seen:
            continue
        if row.digest is not None:
            seen.add(row.digest)
        is_answered = row.status in (OK, None)
        known = (row.seconds, row.mean_confidence, row.class_fractions) if is_answered else (None, None, None)
        samples.append(Sample(is_answered, *known))
    return tuple(samples)


def _note(canary: Sequence[Sample], version: int) -> str:
    return "" if canary else f"the log has no request that version {version} was given"
