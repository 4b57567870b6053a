"""Images that wait to be logged: a queue that is bounded in number and bytes, and never waits for room."""

from __future__ import annotations

import datetime
import threading
from collections import deque
from collections.abc import Mapping
from typing import NamedTuple


class Answered(NamedTuple):
    """What answered a request, and in which time."""

    model: str
    version: int
    signature: str
    seconds: float


class PendingImage(NamedTuple):
    """Image of a request, with what its answer says; the rest of its row is measured later."""

    time: datetime.datetime
    answered: Answered
    status: str
    error: str | None
    encoded: bytes
    mask_header: bytes
    """The first bytes of the mask's PNG, with its size; empty without a mask."""
    class_fractions: Mapping[str, float] | None
    mean_confidence: float | None


class PendingQueue:
    """Queue between the event loop and the thread that writes."""

    def __init__(self, images: int, encoded_bytes: int) -> None:
        """Holds at most so many images, with so many encoded bytes."""
        self._images, self._bytes = images, encoded_bytes
        self._waiting: deque[PendingImage] = deque()
        self._held = 0
        self._closed = False
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return len(self._waiting)

    def offer(self, image: PendingImage) -> bool:
        """Adds an image; returns whether there was room."""
        size = len(image.encoded)
        with self._changed:
            if self._closed or len(self._waiting) >= self._images or self._held + size > self._bytes:
                return False
            self._waiting.append(image)
            self._held += size
            self._changed.notify()
        return True

    def take(self, seconds: float) -> PendingImage | None:
        """Removes the oldest image; `None` if none comes within `seconds`, or before the queue is closed."""
        with self._changed:
            if not self._waiting and not self._closed:
                self._changed.wait(max(0.0, seconds))
            if not self._waiting:
                return None
            image = self._waiting.popleft()
            self._held -= len(image.encoded)
        return image

    def close(self) -> None:
        """Accepts no further images and ends waits for them."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        """Whether no further images are accepted."""
        return self._closed
