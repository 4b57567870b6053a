"""When to try again, and when no more."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from .errors import DeadlineExceededError, ServerUnavailableError, with_code

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0


class Attempts:
    """The attempts at one request, up to its deadline.

    The pauses are drawn between nothing and a limit that doubles ("full jitter", Marc Brooker, AWS Architecture Blog,
    2015), so that many clients do not come back at once.
    """

    def __init__(
        self,
        seconds: float,
        patience: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """`seconds` are for all attempts, and none follows a failed one after `patience` of them, where it is given."""
        self._seconds = seconds
        self._patience = seconds if patience is None else min(seconds, patience)
        self._clock = clock
        self._draw = draw
        self._began = clock()
        self._made = 0
        self._last: ServerUnavailableError | None = None

    def remaining(self) -> float:
        """Seconds for the next attempt.

        Raises:
            DeadlineExceededError: there are none.
            ServerUnavailableError: there are none, and that is how the last attempt ended.
        """
        left = self._began + self._seconds - self._clock()
        if left <= 0 and self._last:
            raise self._given_up(self._last)
        if left <= 0:
            raise DeadlineExceededError(f"no answer within {self._seconds:g} s")
        return left

    def pause(self, error: ServerUnavailableError) -> float:
        """Seconds to wait after an attempt that ended in `error`.

        Raises:
            ServerUnavailableError: `error`, if the deadline or the patience would end in the meantime.
        """
        longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**self._made)
        self._made += 1
        pause = error.retry_after + self._draw(0, longest)
        if self._clock() + pause >= self._began + self._patience:
            raise self._given_up(error) from error
        self._last = error
        return pause

    def _given_up(self, error: ServerUnavailableError) -> ServerUnavailableError:
        times = "once" if self._made == 1 else f"{self._made} times in {_rounded(self._clock() - self._began)} s"
        return with_code(ServerUnavailableError(f"{error} (tried {times})", error.retry_after), error.code)


def _rounded(seconds: float) -> str:
    return f"{round(seconds, 2 if seconds < 1 else 1):g}"
