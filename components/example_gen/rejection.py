"""Exception raised while loading an unusable file."""

from __future__ import annotations

from collections.abc import Mapping

from components.example_gen.quarantine import Quarantined, Reason


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

    def entry(self, pair_id: str, image: str | None, mask: str | None) -> Quarantined:
        """Returns the quarantine entry of the pair, or of the file without a partner, that is rejected."""
        return Quarantined(
            id=pair_id,
            image=image,
            mask=mask,
            reason=self.reason,
            detail=self.detail,
            cause=self.cause,
            remedy=self.remedy,
            values=self.values,
        )
