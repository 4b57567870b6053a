"""Progress of several workers as that of one step."""

from __future__ import annotations

import logging

from common import progress


class WorkerReports(logging.Handler):
    """Passes on the progress messages of workers; what each has counted is added up."""

    def __init__(self) -> None:
        super().__init__()
        self._done: dict[tuple[str, int], dict[int | None, int]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Passes on a record of a worker to this process' handlers."""
        counted = getattr(record, progress.COUNTED, None)
        if counted is not None:
            verb, done, total, things = counted
            by_worker = self._done.setdefault((verb, total), {})
            by_worker[record.process] = done
            record.msg = progress.counted_text(verb, sum(by_worker.values()), total, things)
        logging.getLogger(record.name).handle(record)
