"""What server, synchronisation and monitor export for Prometheus once something has happened."""

from __future__ import annotations

import datetime
from pathlib import Path

from grpc import StatusCode
from prometheus_client import generate_latest

from pipeline.monitor.metrics import MonitorMetrics
from pipeline.monitor.result import FeatureResult, MonitorReport, WindowResult
from registry.retraining import Retraining
from serving.metrics import Metrics
from serving.versions.sync_metrics import SyncMetrics


def server_page() -> str:
    """The embedded server's page after requests, failed ones too, as `/monitoring/prometheus/metrics` shows it."""
    metrics = Metrics()
    for status in (StatusCode.OK, StatusCode.INTERNAL, StatusCode.INVALID_ARGUMENT):
        metrics.request_ended("m", status, "REST", 0.1)
    metrics.graph_ran("m", 0.05)
    metrics.batch_started(2, [0.001, 0.002])
    metrics.warmed_up("/registry/versions/1", 1)
    metrics.version_loaded("loaded")
    metrics.registry_failed()
    metrics.labels_are({"stable": 1})
    metrics.log_written(5)
    return metrics.page().decode()


def synchronisation_page() -> str:
    """What `segpipe sync` exports beside TensorFlow Serving."""
    metrics = SyncMetrics()
    metrics.version_loaded("loaded")
    metrics.labels_are({"stable": 1})
    metrics.looked()
    metrics.registry_failed()
    return generate_latest(metrics.registry).decode()


def monitor_metrics() -> MonitorMetrics:
    """The monitor's after two windows of drift, which have requested a run."""
    now = datetime.datetime.now(datetime.timezone.utc)
    feature = FeatureResult(name="brightness", reference_median=0, window_median=1, distance=1, p_value=0, drifted=True)
    window = WindowResult(version=1, begin=now, end=now, state="drift", detail="", images=60, features=(feature,))
    report = MonitorReport(
        model="m",
        registry="r",
        log="l",
        written=now,
        served=1,
        served_created=now,
        false_alarms=0.01,
        windows=(window, window),
    )
    metrics = MonitorMetrics()
    metrics.show(report, Retraining(number=1, requested=now, version=1, reason="x"))
    metrics.show_run("m", now.timestamp(), failed=False)
    return metrics


def monitor_page(folder: Path) -> str:
    """The monitor's textfile."""
    monitor_metrics().write(folder / "monitor.prom")
    return (folder / "monitor.prom").read_text()
