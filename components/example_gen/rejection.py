"""How a file says, from deep inside the loading, that it cannot be used."""

from __future__ import annotations

from components.example_gen.quarantine import Reason


class Rejected(Exception):
    """A pair cannot be used; whoever knows the pair turns this into a `Quarantined`."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail
