"""Writer of the request log: measures images and writes files in a thread of its own.

An answer never waits for it.  If the thread is slower than the requests, or its disk or bucket does not answer, the
queue fills, and further images are dropped and counted.  Rows that could not be written are kept and written again,
with pauses that double up to a minute, while the queue takes what comes.
"""

from __future__ import annotations

import contextlib
import datetime
import io
import itertools
import os
import random
import socket
import threading
import time
from collections.abc import Sequence
from typing import Any

import pyarrow.parquet as pq

from serving import logs
from serving.metrics import Metrics
from serving.request_log.folder import REQUESTS, LogFolder
from serving.request_log.kept_images import KeptImages
from serving.request_log.measuring import digest_of, logged_image, pending_images
from serving.request_log.pending import Answered, PendingImage, PendingQueue
from serving.request_log.rows import OK, LoggedImage, to_table
from serving.settings import MEGABYTE, RequestLogSettings

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
_CLOSING_PAUSE, _FULL_SECONDS = 0.5, 0.1
_SECONDS_BETWEEN_RETENTIONS = 60.0
_IDLE_SECONDS = 3600.0


class RequestLog:
    """Request log of one server.  `add` is called on the event loop, everything else happens in the log's thread."""

    def __init__(self, settings: RequestLogSettings, metrics: Metrics) -> None:
        """Starts the thread.

        Raises:
            UserError: a local folder cannot be written, or there is no such kind of address.
        """
        self._settings = settings
        self._metrics = metrics
        self._folder = LogFolder(settings.uri)
        self._folder.check_writable()
        self._images = (
            KeptImages(self._folder, settings.image_days, settings.image_megabytes * MEGABYTE)
            if settings.images
            else None
        )
        self._queue = PendingQueue(settings.queue, settings.queue_megabytes * MEGABYTE)
        self._random = random.Random()
        self._rows: list[LoggedImage] = []
        self._oldest = 0.0
        self._ends = 0.0
        self._retry = _Retry()
        self._image_retry = _Retry()
        self._next_retention = 0.0
        self._names = itertools.count(1)
        self._thread = threading.Thread(target=self._run, name="request-log", daemon=True)
        self._thread.start()

    def add(
        self,
        answered: Answered,
        inputs: Sequence[bytes],
        outputs: dict[str, Any] | None,
        status: str = OK,
        error: str = "",
    ) -> None:
        """Adds a sample of a request's images, without waiting; see `pending_images` for the arguments."""
        try:
            for image in pending_images(answered, inputs, outputs, status, error):
                if self._random.random() < self._settings.sample and not self._queue.offer(image):
                    self._metrics.log_dropped("queue_full")
        except Exception as bug:  # noqa: BLE001  # An answer must not fail because it cannot be logged.
            self._metrics.log_dropped("unreadable", len(inputs))
            logs.failure("request_log_bug", bug)
        self._metrics.log_waiting(len(self._queue))

    def close(self, seconds: float) -> bool:
        """Writes what is left, for at most `seconds`; returns whether all was written.  Blocks."""
        self._ends = time.monotonic() + seconds
        self._queue.close()
        self._thread.join(seconds)
        lost = len(self._queue) + len(self._rows)
        if lost:
            self._metrics.log_dropped("storage", lost)
            logs.warning("request_log_incomplete", lost=lost, log=self._folder.uri)
        return not lost

    def _run(self) -> None:
        while not self._queue.closed or len(self._queue):
            if not self._is_full:
                image = self._queue.take(self._seconds_to_wait())
                if image is not None:
                    self._add_row(image)
            elif self._queue.closed:
                if not self._write_until_end():
                    return
            else:
                time.sleep(min(_FULL_SECONDS, self._retry.seconds_left()))
            if self._rows and self._is_due():
                self._write_rows()
        self._write_until_end()

    def _write_until_end(self) -> bool:
        """Writes the rows, again and again while the server waits for it; returns whether they are written."""
        while self._rows and not self._write_rows():
            if time.monotonic() + _CLOSING_PAUSE >= self._ends:
                return False
            time.sleep(_CLOSING_PAUSE)
        return True

    @property
    def _is_full(self) -> bool:
        """Whether so many rows could not be written that no further ones are measured."""
        return len(self._rows) >= 2 * self._settings.rows

    def _seconds_to_wait(self) -> float:
        if not self._rows:
            return _IDLE_SECONDS
        return max(self._oldest + self._settings.seconds - time.monotonic(), self._retry.seconds_left(), 0.0)

    def _is_due(self) -> bool:
        is_old = time.monotonic() >= self._oldest + self._settings.seconds
        return (is_old or len(self._rows) >= self._settings.rows) and not self._retry.seconds_left()

    def _add_row(self, image: PendingImage) -> None:
        if not self._rows:
            self._oldest = time.monotonic()
        try:
            self._rows.append(logged_image(image, self._keep(image)))
        except Exception as error:  # noqa: BLE001  # The thread must go on.
            self._metrics.log_dropped("unreadable")
            logs.failure("request_log_bug", error)

    def _keep(self, image: PendingImage) -> str | None:
        if self._images is None or image.status != OK or self._image_retry.seconds_left():
            return None
        try:
            path = self._images.keep(image.encoded, digest_of(image.encoded), image.time.date())
        except Exception as error:  # noqa: BLE001  # Stores raise any exception.
            self._metrics.log_failed()
            self._image_retry.failed("request_log_image_unwritable", error)
            return None
        self._image_retry.succeeded("request_log_image_writable")
        return path

    def _write_rows(self) -> bool:
        """Writes the rows as a file; returns whether it succeeded."""
        rows = self._rows
        try:
            self._folder.write(self._path(rows[-1]), _encoded(rows))
        except Exception as error:  # noqa: BLE001  # Stores raise any exception; the rows are kept.
            self._metrics.log_failed()
            self._retry.failed("request_log_unwritable", error)
            return False
        self._retry.succeeded("request_log_writable")
        self._rows = []
        self._metrics.log_written(len(rows))
        self._metrics.log_waiting(len(self._queue))
        self._enforce_retention()
        return True

    def _path(self, last: LoggedImage) -> str:
        assert last.time is not None
        stamp = last.time.strftime("%H-%M-%S.%f")
        name = f"{stamp}-{socket.gethostname()}-{os.getpid()}-{next(self._names)}.parquet"
        return f"{REQUESTS}/date={last.time.date().isoformat()}/{name}"

    def _enforce_retention(self) -> None:
        if self._images is None or time.monotonic() < self._next_retention:
            return
        self._next_retention = time.monotonic() + _SECONDS_BETWEEN_RETENTIONS
        with contextlib.suppress(Exception):  # Tried again with the next file.
            removed = self._images.enforce(datetime.datetime.now(datetime.timezone.utc).date())
            if removed:
                logs.event("request_log_images_removed", images=removed)


class _Retry:
    """Pauses after failures, which double; a change between failure and success is logged once."""

    def __init__(self) -> None:
        self._pause = 0.0
        self._until = 0.0

    def seconds_left(self) -> float:
        """Returns how long the pause lasts still."""
        return max(0.0, self._until - time.monotonic())

    def failed(self, event: str, error: Exception) -> None:
        """Begins the next pause."""
        if not self._pause:
            logs.warning(event, reason=error)
        self._pause = min(2 * self._pause or _FIRST_PAUSE, _LONGEST_PAUSE)
        self._until = time.monotonic() + self._pause

    def succeeded(self, event: str) -> None:
        """Ends the pauses."""
        if self._pause:
            logs.event(event)
        self._pause = self._until = 0.0


def _encoded(rows: Sequence[LoggedImage]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(to_table(rows), buffer)
    return buffer.getvalue()
