"""Request that the canary answers, and the served version if the canary fails."""

from __future__ import annotations

from contextlib import ExitStack

from serving.batching import Servable
from serving.model import Model, Signature


class Route:
    """Canary and served version for one request; it stands for the version that answers."""

    def __init__(self, canary: Servable, stable: Servable) -> None:
        self.canary = canary
        self.stable = stable
        self._answering = canary
        self._hold = ExitStack()

    @property
    def name(self) -> str:
        """Name of the model."""
        return self._answering.name

    @property
    def version(self) -> int:
        """The version that answers: the canary, or after `fall_back` the served version."""
        return self._answering.version

    @property
    def model(self) -> Model:
        """The model of that version."""
        return self._answering.model

    @property
    def has_fallen_back(self) -> bool:
        """Whether the served version answers."""
        return self._answering is self.stable

    def signature(self, name: str) -> Signature | None:
        """Returns the signature of that name; if only the served version has it, that one answers."""
        found = self.canary.signature(name)
        return found if found is not None else self.fall_back().signature(name)

    def fall_back(self) -> Servable:
        """Lets the served version answer, and returns it."""
        self._answering = self.stable
        return self.stable

    def __enter__(self) -> Route:
        self._hold.enter_context(self.canary)
        self._hold.enter_context(self.stable)
        return self

    def __exit__(self, *_: object) -> None:
        self._hold.close()


Target = Servable | Route
"""What a request is answered by."""
