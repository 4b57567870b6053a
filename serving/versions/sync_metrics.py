"""Prometheus metrics of the synchronisation, with the embedded server's names for the same quantities."""

from __future__ import annotations

import time
from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server


class SyncMetrics:
    """Counters and gauges of one process."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._loads = Counter(
            "segpipe_version_loads",
            "Versions of the registry that were loaded or refused.",
            ["outcome"],
            registry=registry,
        )
        for outcome in ("loaded", "refused", "failed"):
            self._loads.labels(outcome)  # Starts at zero, or Prometheus would not see the first one as an increase.
        self._registry_errors = Counter(
            "segpipe_registry_errors", "Polls of the registry that failed.", registry=registry
        )
        self._labelled = Gauge("segpipe_version", "Version behind each label.", ["label"], registry=registry)
        self._looked = Gauge(
            "segpipe_sync_last_look_timestamp_seconds", "When the registry was last read.", registry=registry
        )

    def serve(self, port: int) -> None:
        """Serves the metrics on `port`, in a thread.

        Raises:
            OSError: the port is not available.
        """
        start_http_server(port, registry=self.registry)

    def version_loaded(self, outcome: str) -> None:
        """Counts a version that was `loaded`, or `refused` or `failed`."""
        self._loads.labels(outcome).inc()

    def looked(self) -> None:
        """Sets the time of the last successful poll to now."""
        self._looked.set(time.time())

    def registry_failed(self) -> None:
        """Counts a failed poll of the registry."""
        self._registry_errors.inc()

    def labels_are(self, versions: Mapping[str, int]) -> None:
        """Sets the version of each label."""
        self._labelled.clear()
        for label, version in versions.items():
            self._labelled.labels(label).set(version)
