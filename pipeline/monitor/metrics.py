"""Prometheus metrics of the monitor: served, written for node_exporter's textfile collector, or pushed."""

from __future__ import annotations

from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge

from pipeline.monitor import exposition
from pipeline.monitor.result import MonitorReport, drifted_in_a_row
from registry.retraining import Retraining

_JOB = "segpipe-monitor"


class MonitorMetrics:
    """Gauges of one monitor; each report replaces what the one before said."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        window, feature = ["model", "version"], ["model", "version", "feature"]
        self._drift = Gauge(
            "segpipe_monitor_drift", "Whether the newest window has drifted.", window, registry=registry
        )
        self._in_a_row = Gauge(
            "segpipe_monitor_drifted_windows", "Windows in a row that have drifted.", window, registry=registry
        )
        self._judged = Gauge(
            "segpipe_monitor_judged", "Whether the newest window could be judged.", window, registry=registry
        )
        self._images = Gauge(
            "segpipe_monitor_window_images", "Different images of the newest window.", window, registry=registry
        )
        self._refused = Gauge(
            "segpipe_monitor_window_refused",
            "Images of the newest window without an answer.",
            window,
            registry=registry,
        )
        self._end = Gauge(
            "segpipe_monitor_window_end_timestamp_seconds", "End of the newest window.", window, registry=registry
        )
        self._distance = Gauge(
            "segpipe_monitor_feature_distance",
            "Kolmogorov-Smirnov distance between window and reference.",
            feature,
            registry=registry,
        )
        self._p_value = Gauge(
            "segpipe_monitor_feature_p_value", "Its p-value, corrected for all features.", feature, registry=registry
        )
        self._last = Gauge(
            "segpipe_monitor_last_run_timestamp_seconds", "When the log was last judged.", ["model"], registry=registry
        )
        self._created = Gauge(
            "segpipe_served_version_created_timestamp_seconds",
            "When the served version was pushed.",
            ["model"],
            registry=registry,
        )
        self._retraining = Gauge(
            "segpipe_retraining_timestamp_seconds", "When drift last requested a run.", ["model"], registry=registry
        )
        self._retraining_failed = Gauge(
            "segpipe_retraining_failed", "Whether that run could not be started.", ["model"], registry=registry
        )
        self._run_end = Gauge(
            "segpipe_run_timestamp_seconds", "When the newest run of the pipeline began.", ["model"], registry=registry
        )
        self._run_failed = Gauge(
            "segpipe_run_failed", "Whether the newest run of the pipeline has failed.", ["model"], registry=registry
        )

    def show(self, report: MonitorReport, retraining: Retraining | None = None) -> None:
        """Sets all gauges to a report, and to the latest retraining."""
        self._clear()
        for window in report.newest():
            labels = (report.model, str(window.version))
            in_a_row = drifted_in_a_row(report.of_version(window.version))
            self._drift.labels(*labels).set(window.state == "drift")
            self._in_a_row.labels(*labels).set(in_a_row)
            self._judged.labels(*labels).set(window.is_judged)
            self._images.labels(*labels).set(window.images)
            self._refused.labels(*labels).set(window.refused)
            self._end.labels(*labels).set(window.end.timestamp())
            for feature in window.features:
                self._distance.labels(*labels, feature.name).set(feature.distance)
                self._p_value.labels(*labels, feature.name).set(feature.p_value)
        self._last.labels(report.model).set(report.written.timestamp())
        if report.served_created is not None:
            self._created.labels(report.model).set(report.served_created.timestamp())
        if retraining is not None:
            self._retraining.labels(report.model).set(retraining.requested.timestamp())
            self._retraining_failed.labels(report.model).set(retraining.error is not None)

    def show_run(self, model: str, began: float, failed: bool) -> None:
        """Sets the gauges of the newest run of the pipeline."""
        self._run_end.labels(model).set(began)
        self._run_failed.labels(model).set(failed)

    def serve(self, port: int) -> None:
        """Serves the metrics in a thread; see `exposition.serve`."""
        exposition.serve(self.registry, port)

    def write(self, path: Path) -> None:
        """Writes the metrics into a file; see `exposition.write`."""
        exposition.write(self.registry, path)

    def push(self, url: str, model: str) -> None:
        """Pushes the metrics to a Pushgateway; see `exposition.push`."""
        exposition.push(self.registry, url, _JOB, model)

    def _clear(self) -> None:
        for gauge in (self._drift, self._in_a_row, self._judged, self._images, self._refused, self._end):
            gauge.clear()
        for gauge in (self._distance, self._p_value):
            gauge.clear()
