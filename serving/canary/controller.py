"""Controller of canaries: reads the registry, observes, decides, writes the decision, and tells the webhook.

Each step can be interrupted at any instruction.  The decision with its reason is one atomic write of the registry's
serving record: before it, the canary is as it was and the next step decides again; after it, the next step only tells
the webhook, until that is recorded too, so that a message is sent at least once.  The served version changes by that
write alone.  Several controllers may watch one registry: the first decision about a canary is the only one.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable
from dataclasses import dataclass

from common.webhook import WEBHOOK_VARIABLE, send
from registry.errors import CorruptVersionError
from registry.serving_record import Canary, CanaryDecision, Outcome
from registry.store import Registry
from serving import logs
from serving.canary.deciding import decide
from serving.canary.message import compose
from serving.canary.metrics import CanaryMetrics
from serving.canary.observations import Observations
from serving.canary.verdict import Promote, Verdict, Wait

Observe = Callable[[Canary, int], Observations]
"""Returns the observations of a canary beside the version of that number."""

_OTHERS_TELL = datetime.timedelta(minutes=1)
"""Time in which the controller that has decided tells the webhook itself."""
_TOO_LATE = datetime.timedelta(days=1)
_FIRST_PAUSE, _LONGEST_PAUSE = 30.0, 600.0


@dataclass(frozen=True)
class Step:
    """Result of a step: what was found about the canary, and the decision, if one was written."""

    verdict: Verdict | None = None
    decision: CanaryDecision | None = None


class CanaryController:
    """Controller of one registry.  Its methods block."""

    def __init__(
        self, registry: Registry, observe: Observe, metrics: CanaryMetrics, webhook: str | None = None
    ) -> None:
        self._registry = registry
        self._observe = observe
        self._metrics = metrics
        self._webhook = webhook
        self._told: set[CanaryDecision] = set()
        self._own: set[CanaryDecision] = set()
        self._pause = 0.0
        self._next_message = 0.0

    def step(self) -> Step:
        """Decides on the canary if it can be decided now; without one that has a policy, does nothing."""
        record = self._registry.serving_record()
        self._metrics.show_last(record.decisions[-1] if record.decisions else None)
        canary = record.canary
        if canary is None or canary.policy is None or record.served is None:
            self._metrics.show(None)
            return Step()
        verdict = decide(self._observe(canary, record.served), canary.policy)
        self._metrics.show(verdict)
        if isinstance(verdict, Wait):
            return Step(verdict)
        outcome: Outcome = "promoted" if isinstance(verdict, Promote) else "rolled_back"
        return Step(verdict, self._write(_decision(canary, record.served, outcome, verdict)))

    def tell(self) -> None:
        """Tells the webhook of decisions that it was not told of.

        A decision of another controller is told after a minute, if that one has died in the meantime.
        """
        if not self._webhook or time.monotonic() < self._next_message:
            return
        for decision in self._registry.serving_record().decisions:
            if self._is_untold(decision):
                self._send(decision)

    def _write(self, decision: CanaryDecision) -> CanaryDecision | None:
        """Writes a decision; `None` if somebody else has changed canary or served version in the meantime."""
        try:
            is_written = self._registry.decide_canary(decision)
        except CorruptVersionError as error:
            decision = decision.model_copy(update={"outcome": "rolled_back", "reason": str(error)})
            is_written = self._registry.decide_canary(decision)
        if not is_written:
            logs.event("canary_changed_meanwhile", version=decision.version)
            return None
        self._own.add(decision)
        self._metrics.decided(decision.outcome)
        self._metrics.show(None)
        self._metrics.show_last(decision)
        logs.event(f"canary_{decision.outcome}", version=decision.version, reason=decision.reason)
        return decision

    def _is_untold(self, decision: CanaryDecision) -> bool:
        age = _now() - decision.decided
        is_ours = decision in self._own or age > _OTHERS_TELL
        return not decision.notified and is_ours and age < _TOO_LATE and decision not in self._told

    def _send(self, decision: CanaryDecision) -> None:
        assert self._webhook
        model = self._registry.manifest(decision.stable).model_name
        try:
            send(self._webhook, compose(model, decision), place=f"--webhook or {WEBHOOK_VARIABLE}")
        except Exception:
            self._pause = min(2 * self._pause or _FIRST_PAUSE, _LONGEST_PAUSE)
            self._next_message = time.monotonic() + self._pause
            raise
        self._pause = 0.0
        self._told.add(decision)
        self._registry.record_notified(decision)


def _decision(canary: Canary, stable: int, outcome: Outcome, verdict: Verdict) -> CanaryDecision:
    return CanaryDecision(
        version=canary.version,
        stable=stable,
        outcome=outcome,
        reason=verdict.reason,
        images=verdict.images,
        began=canary.since,
        decided=_now(),
    )


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)
