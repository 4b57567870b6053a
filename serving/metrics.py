"""Prometheus metrics: TensorFlow Serving's names for the same quantities, `segpipe_…` for others.

So an alert or a dashboard for one server works for the other (servables/tensorflow/util.cc, batching_session.cc,
saved_model_warmup_util.cc; slashes become colons in util/prometheus_exporter.cc).  Latencies there are in microseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from grpc import StatusCode
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import Metric

from serving.canary.metrics import CanaryMetrics

METRICS_PATH = "/monitoring/prometheus/metrics"
_OTHER_MODEL = "other"
_MICROSECONDS = 1e6
_LATENCY_BUCKETS = [10 * 1.8**power for power in range(33)]
_QUEUING_BUCKETS = [100 * 1.2**power for power in range(52)]
_SIZE_BUCKETS = [2**power for power in range(9)]


class RequestCount:
    """TensorFlow Serving's counter of requests, without the suffix `_total` that this library's counters have."""

    _NAME = ":tensorflow:serving:request_count"

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], int] = {}

    def add(self, model: str, status: str) -> None:
        """Counts one request."""
        self._counts[model, status] = self._counts.get((model, status), 0) + 1

    def collect(self) -> Iterable[Metric]:
        """Yields the metric to the library."""
        metric = Metric(self._NAME, "The total number of requests.", "unknown")
        for (model, status), count in sorted(self._counts.items()):
            metric.add_sample(self._NAME, {"model_name": model, "status": status}, count)
        yield metric


class Metrics:
    """Metrics of one server."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._request_count = RequestCount()
        registry.register(self._request_count)
        self._request_latency = Histogram(
            ":tensorflow:serving:request_latency",
            "Distribution of wall time (in microseconds) for answered requests.",
            ["model_name", "API", "entrypoint"],
            buckets=_LATENCY_BUCKETS,
            registry=registry,
        )
        self._runtime_latency = Histogram(
            ":tensorflow:serving:runtime_latency",
            "Distribution of wall time (in microseconds) for calls of the graph.",
            ["model_name", "API", "runtime"],
            buckets=_LATENCY_BUCKETS,
            registry=registry,
        )
        self._queuing_latency = Histogram(
            ":tensorflow:serving:batching_session:queuing_latency",
            "Distribution of wall time spent (in microseconds) in queuing.",
            ["thread_pool_name"],
            buckets=_QUEUING_BUCKETS,
            registry=registry,
        )
        self._warmup_latency = Histogram(
            ":tensorflow:serving:model_warmup_latency",
            "Distribution of wall time (in microseconds) for warming up the model.",
            ["model_path", "status"],
            buckets=_LATENCY_BUCKETS,
            registry=registry,
        )
        self._batch_size = Histogram(
            "segpipe_batch_requests", "Requests in a batch.", buckets=_SIZE_BUCKETS, registry=registry
        )
        self._loads = Counter(
            "segpipe_version_loads",
            "Versions of the registry that were loaded or refused.",
            ["outcome"],
            registry=registry,
        )
        self._registry_errors = Counter(
            "segpipe_registry_errors", "Polls of the registry that failed.", registry=registry
        )
        self._labelled = Gauge("segpipe_version", "Version behind each label.", ["label"], registry=registry)
        self._jobs = Gauge("segpipe_jobs", "Batch jobs that are held.", registry=registry)
        self._job_images = Counter("segpipe_job_images", "Images of batch jobs.", ["outcome"], registry=registry)
        self._in_progress = Gauge("segpipe_requests_in_progress", "Requests waiting or running.", registry=registry)
        self._log_rows = Counter("segpipe_request_log_rows", "Images whose row was written.", registry=registry)
        self._log_dropped = Counter(
            "segpipe_request_log_dropped", "Images that the request log has lost.", ["reason"], registry=registry
        )
        for reason in ("queue_full", "storage", "unreadable"):
            self._log_dropped.labels(reason)  # Starts at zero, or Prometheus would not see the first as an increase.
        self._log_errors = Counter(
            "segpipe_request_log_errors", "Failed writes of the request log, which are repeated.", registry=registry
        )
        self.canary = CanaryMetrics(registry)
        self._log_waiting = Gauge("segpipe_request_log_waiting", "Images that wait to be logged.", registry=registry)

    def page(self) -> bytes:
        """Returns all metrics in Prometheus' text format."""
        return generate_latest(self._registry)

    def request_ended(self, model: str | None, status: StatusCode, entrypoint: str, seconds: float) -> None:
        """Counts a prediction; `model` is `None` if the request names another model."""
        name = model or _OTHER_MODEL
        self._request_count.add(name, status.name)
        if status is StatusCode.OK:
            self._request_latency.labels(name, "Predict", entrypoint).observe(seconds * _MICROSECONDS)

    def graph_ran(self, model: str, seconds: float) -> None:
        """Counts a call of the graph."""
        self._runtime_latency.labels(model, "Predict", "TF1").observe(seconds * _MICROSECONDS)

    def batch_started(self, requests: int, waited: Sequence[float]) -> None:
        """Counts a batch of `requests`, and the seconds that each of them waited."""
        self._batch_size.observe(requests)
        for seconds in waited:
            self._queuing_latency.labels("batch").observe(seconds * _MICROSECONDS)

    def warmed_up(self, path: str, seconds: float) -> None:
        """Counts the warm-up of the version at `path`."""
        self._warmup_latency.labels(path, "OK").observe(seconds * _MICROSECONDS)

    def version_loaded(self, outcome: str) -> None:
        """Counts a version that was `loaded`, or `refused` or `failed`."""
        self._loads.labels(outcome).inc()

    def registry_failed(self) -> None:
        """Counts a failed poll of the registry."""
        self._registry_errors.inc()

    def labels_are(self, versions: dict[str, int]) -> None:
        """Sets the version of each label."""
        self._labelled.clear()
        for label, version in versions.items():
            self._labelled.labels(label).set(version)

    def jobs_are(self, count: int) -> None:
        """Sets the number of batch jobs."""
        self._jobs.set(count)

    def job_image_ended(self, outcome: str) -> None:
        """Counts an image of a job that was `predicted` or `refused`."""
        self._job_images.labels(outcome).inc()

    def in_progress(self, requests: int) -> None:
        """Sets the number of waiting and running requests."""
        self._in_progress.set(requests)

    def log_written(self, images: int) -> None:
        """Counts rows of the request log that are written."""
        self._log_rows.inc(images)

    def log_dropped(self, reason: str, images: int = 1) -> None:
        """Counts images without a row: `queue_full`, `storage` or `unreadable`."""
        self._log_dropped.labels(reason).inc(images)

    def log_failed(self) -> None:
        """Counts a failed write of the request log."""
        self._log_errors.inc()

    def log_waiting(self, images: int) -> None:
        """Sets the number of images that wait to be logged."""
        self._log_waiting.set(images)
