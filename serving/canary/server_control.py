"""Tries and decides canaries in the embedded server: chooses requests, compares, and runs the controller.

Without a canary that has a policy it only reads the registry's serving record.
"""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from registry.serving_record import Canary
from registry.store import Registry
from serving import logs
from serving.batching import Servable
from serving.canary.metrics import CanaryMetrics
from serving.canary.observations import Observations
from serving.canary.routing import Route
from serving.canary.trial import Trial
from serving.versions.loaded import Versions

if TYPE_CHECKING:
    from serving.canary.controller import CanaryController, Step


class CanaryControl:
    """Canary control of one server.  Used on the event loop only."""

    def __init__(
        self, registry: Registry, versions: Versions, seconds: float, metrics: CanaryMetrics, webhook: str | None
    ) -> None:
        """`seconds` is the time limit of a version for one image; `webhook` is told of decisions."""
        self._registry = registry
        self._versions = versions
        self._seconds = seconds
        self._metrics = metrics
        self._webhook = webhook
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="canary")
        self._trial: Trial | None = None
        self._comparing: asyncio.Task[None] | None = None
        self._controller: CanaryController | None = None
        self._trouble = ""

    def routed(self, servable: Servable) -> Servable | Route:
        """Returns what answers a request that names no version: in the mode `share` sometimes the canary."""
        trial = self._trial
        if trial is None or trial.policy.mode != "share" or servable.version != trial.stable or not trial.chooses():
            return servable
        canary = self._versions.servable(trial.canary.version)
        return servable if canary is None else Route(canary, servable)

    def predicted(self, target: Servable | Route, signature: str, images: Sequence[bytes]) -> None:
        """Takes note of a request: in the mode `shadow` a share of those that the served version answers is compared,
        in the mode `share` all that the canary was to answer."""
        trial = self._trial
        if trial is None:
            return
        is_shadowed = trial.policy.mode == "shadow" and target.version == trial.stable and trial.chooses()
        if isinstance(target, Route) or is_shadowed:
            trial.offer(signature, images)

    async def watch(self, poll_seconds: float) -> None:
        """Follows the registry, and decides its canary, forever."""
        while True:
            try:
                await self._step()
            except Exception as error:  # noqa: BLE001  # Stores raise any; the served version goes on.
                self._tell_trouble(error)
            else:
                self._trouble = ""
            await asyncio.sleep(poll_seconds)

    def close(self) -> None:
        """Ends the comparison; a running one is not waited for."""
        self._stop_comparing()
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def _step(self) -> None:
        record = await asyncio.to_thread(self._registry.serving_record)
        self._follow(record.canary, record.served)
        self._metrics.show_last(record.decisions[-1] if record.decisions else None)
        if self._trial is None and not (self._webhook and record.decisions):
            self._metrics.show(None)
            return
        done = await asyncio.to_thread(self._decide)
        if done.decision is not None:
            self._stop_comparing()
            await self._versions.check()
        await asyncio.to_thread(self._make_controller().tell)

    def _follow(self, canary: Canary | None, stable: int | None) -> None:
        """Starts or ends the trial, if another canary or served version is there; observations begin anew."""
        if canary is None or canary.policy is None or stable is None:
            self._stop_comparing()
            return
        if self._trial is not None and (self._trial.canary, self._trial.stable) == (canary, stable):
            return
        self._stop_comparing()
        self._trial = Trial(canary, stable, self._seconds, self._metrics)
        self._comparing = asyncio.create_task(self._compare_all(self._trial))
        logs.event("canary_tried", version=canary.version, mode=canary.policy.mode, percent=canary.policy.percent)

    def _stop_comparing(self) -> None:
        if self._comparing is not None:
            self._comparing.cancel()
        self._trial = self._comparing = None

    async def _compare_all(self, trial: Trial) -> None:
        while True:
            encoded = await trial.next_image()
            stable, canary = (self._versions.servable(number) for number in (trial.stable, trial.canary.version))
            if stable is None or canary is None:
                self._metrics.skipped("not_loaded")
                continue
            try:
                await trial.compare(encoded, stable, canary, self._executor)
            except Exception as error:  # noqa: BLE001  # A bug must not end the comparison.
                logs.failure("canary_comparison_bug", error)

    def _decide(self) -> Step:
        return self._make_controller().step()

    def _make_controller(self) -> CanaryController:
        if self._controller is None:
            # Imports SciPy, which no other part of the server needs.
            from serving.canary.controller import CanaryController

            self._controller = CanaryController(self._registry, self._observe, self._metrics, self._webhook)
        return self._controller

    def _observe(self, canary: Canary, stable: int) -> Observations:
        minutes = (datetime.datetime.now(datetime.timezone.utc) - canary.since).total_seconds() / 60
        trial = self._trial
        if trial is None or (trial.canary, trial.stable) != (canary, stable):
            return Observations((), (), minutes)
        return trial.observations(minutes, self._versions.why_not_loaded(canary.version))

    def _tell_trouble(self, error: Exception) -> None:
        if str(error) != self._trouble:
            logs.warning("canary_undecided", reason=error)
        self._trouble = str(error)
