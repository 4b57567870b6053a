"""Observes a canary in the embedded server: a share of the requests' images is predicted by both versions.

This happens in a thread of its own, one image after the other, after the request was answered or while the canary
answers it; images that come while it is busy are skipped and counted.  Both versions predict in the same thread, so
that their latencies can be compared, and the order changes with each image.
"""

from __future__ import annotations

import asyncio
import io
import random
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import NamedTuple

import numpy as np
from grpc import StatusCode
from PIL import Image

from common.signatures import CLASS_FRACTIONS, CLASS_NAMES, MASK_BYTES, MEAN_CONFIDENCE, SERVING_DEFAULT, SERVING_EACH
from registry.serving_record import Canary
from serving import logs
from serving.batching import Servable
from serving.canary.metrics import CanaryMetrics
from serving.canary.observations import Observations, Sample
from serving.errors import ServingError
from serving.model import Outputs
from serving.version_comparison import Comparison

_MOST_WAITING = 8
_SIGNATURES = (SERVING_DEFAULT, SERVING_EACH)


class _Answer(NamedTuple):
    """Answer of one version to one image."""

    sample: Sample
    mask: bytes | None
    is_refusal: bool


class Trial:
    """Images of one canary beside one served version.  Used on the event loop, except for `observations`."""

    def __init__(self, canary: Canary, stable: int, seconds: float, metrics: CanaryMetrics) -> None:
        """`seconds` is the time limit of a version for one image."""
        assert canary.policy
        self.canary = canary
        self.stable = stable
        self.policy = canary.policy
        self._seconds = seconds
        self._metrics = metrics
        self._random = random.Random()
        self._waiting: deque[bytes] = deque()
        self._arrived = asyncio.Event()
        self._stable_samples: list[Sample] = []
        self._canary_samples: list[Sample] = []
        self._agreements: list[float] = []

    def chooses(self) -> bool:
        """Whether the next request is one of the policy's share, at random."""
        return self._random.random() * 100 < self.policy.percent

    def offer(self, signature: str, images: Sequence[bytes]) -> None:
        """Adds the images of a request to those that wait for the comparison, without waiting.

        Once there are enough for the decision none are added, however long the decision cannot be written.
        """
        if signature not in _SIGNATURES or len(self._canary_samples) >= self.policy.images:
            return
        for encoded in images:
            if len(self._waiting) >= _MOST_WAITING:
                self._metrics.skipped("busy")
            else:
                self._waiting.append(encoded)
                self._arrived.set()

    async def next_image(self) -> bytes:
        """Returns the image that has waited longest, once there is one."""
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        return self._waiting.popleft()

    async def compare(self, encoded: bytes, stable: Servable, canary: Servable, executor: ThreadPoolExecutor) -> None:
        """Predicts an image with both versions and keeps the samples."""
        hold = ExitStack()
        hold.enter_context(stable)
        hold.enter_context(canary)
        running = asyncio.get_running_loop().run_in_executor(executor, self._answers, encoded, stable, canary)
        running.add_done_callback(lambda _: hold.close())  # Not before: a thread that runs a graph cannot be stopped.
        self._keep(*await asyncio.shield(running))

    def observations(self, minutes: float, note: str) -> Observations:
        """Returns copies of the samples so far; may be called in any thread."""
        count = len(self._agreements), len(self._canary_samples)
        return Observations(
            tuple(self._stable_samples[: count[1]]),
            tuple(self._canary_samples[: count[1]]),
            minutes,
            tuple(self._agreements[: count[0]]),
            is_paired=True,
            note=note,
        )

    def _answers(self, encoded: bytes, stable: Servable, canary: Servable) -> tuple[_Answer, _Answer, float | None]:
        """Returns both answers and their agreement; blocks."""
        first, second = (stable, canary) if self._random.random() < 0.5 else (canary, stable)
        answers = {each: _answer(each, encoded, self._seconds) for each in (first, second)}
        masks = answers[stable].mask, answers[canary].mask
        return answers[stable], answers[canary], _agreement(*masks)

    def _keep(self, stable: _Answer, canary: _Answer, agreement: float | None) -> None:
        if stable.is_refusal and canary.is_refusal:
            self._metrics.skipped("refused")
            return
        self._stable_samples.append(stable.sample)
        self._canary_samples.append(canary.sample)
        if agreement is not None:
            self._agreements.append(agreement)


def _answer(servable: Servable, encoded: bytes, seconds: float) -> _Answer:
    began = time.monotonic()
    try:
        signature = servable.model.signature(SERVING_DEFAULT)
        if signature is None:
            raise ServingError(StatusCode.FAILED_PRECONDITION, f"it has no signature {SERVING_DEFAULT}")
        outputs = servable.model.run(signature, [encoded], seconds)
        return _Answer(_sample(outputs, time.monotonic() - began), bytes(outputs[MASK_BYTES][0]), is_refusal=False)
    except ServingError as error:
        return _Answer(Sample(answered=False), None, error.code is StatusCode.INVALID_ARGUMENT)
    except Exception as error:  # noqa: BLE001  # Whatever it is, this version has not answered.
        logs.failure("canary_comparison_bug", error)
        return _Answer(Sample(answered=False), None, is_refusal=False)


def _sample(outputs: Outputs, seconds: float) -> Sample:
    names = [name.decode(errors="replace") for name in outputs[CLASS_NAMES][0]]
    fractions = dict(zip(names, outputs[CLASS_FRACTIONS][0].tolist(), strict=True))
    return Sample(True, seconds, float(outputs[MEAN_CONFIDENCE][0]), fractions)


def _agreement(stable: bytes | None, canary: bytes | None) -> float | None:
    """Returns the share of equal pixels; 0 if the masks differ in size, `None` if there are not two."""
    if stable is None or canary is None:
        return None
    masks = [np.asarray(Image.open(io.BytesIO(mask))) for mask in (stable, canary)]
    if masks[0].shape != masks[1].shape:
        return 0.0
    comparison = Comparison()
    comparison.add(*masks)
    return comparison.agreement().equal_pixels
