"""Exception raised while loading an unusable file."""

from __future__ import annotations

from collections.abc import Mapping

from components.example_gen.quarantine import Reason


class RejectionError(Exception):
    """A file cannot be used; the caller that knows the pair converts this to a `Quarantined`.

    See `Quarantined` for `cause`, `remedy` and `values`.
    """

    def __init__(
        self,
        reason: Reason,
        detail: str,
        cause: str | None = None,
        remedy: str | None = None,
        values: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail
        self.cause = cause
        self.remedy = remedy
        self.values = dict(values or {})

    def within(self, place: str) -> RejectionError:
        """Returns the same rejection with its detail prefixed by its place (`image`, `mask`, `row 7`)."""
        return RejectionError(self.reason, f"{place} {self.detail}", self.cause, self.remedy, self.values)
