"""Filter, order and page of the list of runs, as an address says them."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from pipeline.dashboard.runs import Run, Status

PAGE = 50
"""Runs of one page."""
_ORDERS: Mapping[str, Callable[[Run], float]] = {
    "began": lambda run: run.began.timestamp(),
    "duration": lambda run: run.seconds(_now()),
    "pairs": lambda run: sum(run.results.ingestion.used.values()) if run.results.ingestion else -1,
    "iou": lambda run: _mean_iou(run),
    "version": lambda run: (run.results.push.version or 0) if run.results.push else 0,
}


@dataclass(frozen=True)
class Listing:
    """What of the runs is shown, and in which order; unknown values mean the default."""

    status: Status | None = None
    text: str = ""
    sort: str = "began"
    ascending: bool = False
    page: int = 1

    @classmethod
    def of_query(cls, query: Mapping[str, str]) -> Listing:
        """Reads the parameters of an address: `status`, `q`, `sort`, `order` and `page`."""
        statuses = {status.value: status for status in Status}
        page = query.get("page", "1")
        return cls(
            status=statuses.get(query.get("status", "")),
            text=query.get("q", "").strip()[:100],
            sort=query["sort"] if query.get("sort") in _ORDERS else "began",
            ascending=query.get("order") == "asc",
            page=min(10_000, int(page)) if page.isascii() and page.isdigit() and int(page[:6]) else 1,
        )

    def query(self, **changes: str | int) -> str:
        """Returns the address' parameters of this listing with some changed, `?` included; defaults are left out."""
        given: dict[str, str | int] = {
            "status": self.status.value if self.status else "",
            "q": self.text,
            "sort": self.sort,
            "order": "asc" if self.ascending else "",
            "page": self.page,
        }
        defaults = {"status": "", "q": "", "sort": "began", "order": "", "page": 1}
        kept = {name: value for name, value in (given | changes).items() if value != defaults[name]}
        return f"?{urlencode(kept)}" if kept else "?"

    def order_query(self, sort: str) -> str:
        """Returns the parameters that order by `sort`, or turn its order round."""
        turned = sort == self.sort and not self.ascending
        return self.query(sort=sort, order="asc" if turned else "", page=1)

    def choose(self, runs: Iterable[Run]) -> list[Run]:
        """Returns the runs that match, in order."""
        matching = [run for run in runs if self._matches(run)]
        return sorted(matching, key=_ORDERS[self.sort], reverse=not self.ascending)

    def _matches(self, run: Run) -> bool:
        if self.status is not None and run.status is not self.status:
            return False
        return not self.text or self.text.casefold() in f"{run.name} {run.workspace.key} {run.key}".casefold()


def page_of(runs: Sequence[Run], listing: Listing) -> tuple[list[Run], int]:
    """Returns the runs of the listing's page, and the number of pages."""
    pages = max(1, math.ceil(len(runs) / PAGE))
    first = (min(listing.page, pages) - 1) * PAGE
    return list(runs[first : first + PAGE]), pages


def _mean_iou(run: Run) -> float:
    evaluation = run.results.evaluation
    value = evaluation.candidate.overall.mean_iou.value if evaluation else None
    return -1.0 if value is None else value


def _now() -> datetime.datetime:
    return datetime.datetime.now().astimezone()
