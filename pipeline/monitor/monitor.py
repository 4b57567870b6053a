"""Judges the newest windows of a request log."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence

from common.errors import UserError
from common.plurals import counted
from common.two_samples import least_significant
from components.evaluator.reference import ReferenceDistribution
from pipeline.monitor.judging import Window, judge
from pipeline.monitor.result import MonitorReport, WindowResult, drifted_in_a_row
from pipeline.monitor.settings import LogFormat, MonitorSettings, WindowSize
from pipeline.monitor.sources import Source, open_source
from pipeline.monitor.windows import CountedWindows, newest_time_windows
from registry.store import Registry, no_registry
from serving.request_log.folder import LogFolder

_LARGE_DISTANCE = 0.3
"""Distance that both a wide window and a wide reference find; a note says if they are too small for it."""


class Monitor:
    """Monitor of one registry and its request log."""

    def __init__(
        self, registry: Registry, log: str, kind: LogFormat, size: WindowSize, settings: MonitorSettings
    ) -> None:
        self._registry = registry
        LogFolder(log)  # An address of an unknown kind is an error now, and not at each look.
        self._log = log
        self._kind = kind
        self._size = size
        self._settings = settings
        self._counted = CountedWindows(size.images or 1, settings.windows_in_a_row + 1)
        self._references: dict[int, ReferenceDistribution] = {}

    def look(self, now: datetime.datetime) -> MonitorReport:
        """Judges the newest complete windows of each version: one more than must drift in a row.

        Raises:
            UserError: the registry has no version, or the log cannot be read.
        """
        manifest = self._registry.served_manifest() or next(iter(reversed(self._registry.versions())), None)
        if manifest is None:
            raise no_registry(self._registry.uri)
        served = self._registry.served()
        source = open_source(self._log, self._kind, served)
        windows = self._windows(source, now - datetime.timedelta(seconds=self._settings.delay_seconds))
        results = tuple(judge(window, self._reference(window.version), self._settings) for window in windows)
        return MonitorReport(
            model=manifest.model_name,
            registry=self._registry.uri,
            log=self._log,
            written=now,
            served=served,
            served_created=manifest.created if served is not None else None,
            false_alarms=self._settings.false_alarms,
            windows=results,
            notes=(*source.notes(), *self._small_samples(results)),
        )

    def confirmed(self, report: MonitorReport) -> list[int]:
        """Returns the versions whose newest windows have all drifted, as many in a row as are wanted."""
        wanted = self._settings.windows_in_a_row
        versions = [window.version for window in report.newest()]
        return [version for version in versions if drifted_in_a_row(report.of_version(version)) >= wanted]

    def just_confirmed(self, report: MonitorReport) -> list[int]:
        """Returns those of them that were not yet a window before."""
        wanted = self._settings.windows_in_a_row
        return [version for version in self.confirmed(report) if drifted_in_a_row(report.of_version(version)) == wanted]

    def _windows(self, source: Source, until: datetime.datetime) -> list[Window]:
        if self._size.seconds is not None:
            return newest_time_windows(source, self._size.seconds, self._settings.windows_in_a_row + 1, until)
        return self._counted.look(source, sorted({*self._registry.labels().values()}), until)

    def _small_samples(self, results: Sequence[WindowResult]) -> Iterator[str]:
        """Yields a note for each version whose newest window, or reference, is so small that only large shifts show."""
        for result in {result.version: result for result in results if result.is_judged}.values():
            reference = self._references[result.version]
            known, seen = (images / self._settings.frames for images in (reference.images, result.images))
            least = least_significant(known, seen, len(result.features), self._settings.false_alarms)
            if least > _LARGE_DISTANCE:
                yield (
                    f"only distances of {least:.2f} or more are significant: the reference of version {result.version} "
                    f"has {counted(reference.images, 'image')}, and the window {result.images}"
                )

    def _reference(self, version: int) -> ReferenceDistribution | None:
        """Returns the reference of a version; one that was found is kept."""
        if version in self._references:
            return self._references[version]
        try:
            text = self._registry.reference(version)
        except UserError:  # The version is gone, or is another server's.
            return None
        if text is None:
            return None
        try:
            found = self._references[version] = ReferenceDistribution.model_validate_json(text)
        except ValueError as error:
            raise UserError(
                f"the reference distribution of version {version} in {self._registry.uri} cannot be read: run the "
                "pipeline again, which writes it"
            ) from error
        return found
