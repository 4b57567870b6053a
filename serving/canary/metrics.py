"""Prometheus metrics of a canary that is decided automatically."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge

from registry.serving_record import CanaryDecision
from serving.canary.verdict import Verdict, Wait

_OUTCOMES = ("promoted", "rolled_back")


class CanaryMetrics:
    """Metrics of one controller."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._images = Gauge(
            "segpipe_canary_images", "Images of the present canary that were compared.", registry=registry
        )
        self._overdue = Gauge(
            "segpipe_canary_overdue", "Whether its time is over, with too few images.", registry=registry
        )
        self._value = Gauge("segpipe_canary_value", "How much worse the canary is.", ["criterion"], registry=registry)
        self._limit = Gauge(
            "segpipe_canary_limit", "How much worse the canary may be.", ["criterion"], registry=registry
        )
        self._decisions = Counter(
            "segpipe_canary_decisions", "Canaries that this process has decided.", ["outcome"], registry=registry
        )
        self._decided = Gauge(
            "segpipe_canary_decided_timestamp_seconds",
            "When the registry's last automatic decision was made.",
            ["version", "outcome"],
            registry=registry,
        )
        self._skipped = Counter(
            "segpipe_canary_skipped",
            "Images that were chosen for the comparison and not compared.",
            ["reason"],
            registry=registry,
        )
        self._fallbacks = Counter(
            "segpipe_canary_fallbacks",
            "Requests that the canary failed and the served version answered.",
            registry=registry,
        )
        for outcome in _OUTCOMES:
            self._decisions.labels(outcome)  # Starts at zero, or Prometheus would not see the first as an increase.
        for reason in ("busy", "refused", "not_loaded"):
            self._skipped.labels(reason)

    def show(self, verdict: Verdict | None) -> None:
        """Sets the gauges of the present canary; `None` if there is none."""
        self._value.clear()
        self._limit.clear()
        self._images.set(verdict.images if verdict else 0)
        self._overdue.set(isinstance(verdict, Wait) and verdict.is_overdue)
        for finding in verdict.findings if verdict else ():
            self._value.labels(finding.criterion).set(finding.value)
            self._limit.labels(finding.criterion).set(finding.limit)

    def show_last(self, decision: CanaryDecision | None) -> None:
        """Sets the gauge of the registry's last decision."""
        self._decided.clear()
        if decision is not None:
            self._decided.labels(str(decision.version), decision.outcome).set(decision.decided.timestamp())

    def decided(self, outcome: str) -> None:
        """Counts a decision of this process."""
        self._decisions.labels(outcome).inc()

    def skipped(self, reason: str, images: int = 1) -> None:
        """Counts images that are not compared: `busy`, `refused` by both versions, or the canary is `not_loaded`."""
        self._skipped.labels(reason).inc(images)

    def fell_back(self) -> None:
        """Counts a request that the served version answered in place of the canary."""
        self._fallbacks.inc()
