"""What is known of an image after its prediction: a row of the index."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from pydantic import Field

from common.settings import Settings

Status = Literal["predicted", "rejected", "unreadable"]


class Item(NamedTuple):
    """An image to predict."""

    path: str
    """Its path relative to the source's root; of a record, the pair's name."""
    state: str = ""
    """Changes when the file does: its size and the time of its last change; empty if unknown."""
    problem: str = ""
    """Why it must not be read; empty for most."""


class Entry(Settings):
    """Result for an image."""

    path: str = Field(description="The image's path relative to the source's root, or the name in its record.")
    status: Status = Field(
        description="`rejected` by its content or size, which it stays until the file changes; `unreadable` files are "
        "tried again the next time."
    )
    reason: str = Field(default="", description="Why there is no mask; empty with status `predicted`.")
    mask: str = Field(default="", description="Path of the mask relative to the output folder.")
    height: int | None = Field(default=None, description="Pixels of the mask, and of the upright image.")
    width: int | None = None
    fractions: tuple[float, ...] = Field(default=(), description="Share of each class.")
    mean_confidence: float | None = None
    state: str = Field(default="", description="See `Item.state`.")

    def is_settled_for(self, item: Item) -> bool:
        """Whether the image need not be predicted again, if the model is the same."""
        return self.status != "unreadable" and self.state == item.state


class Counts(Settings):
    """Numbers of images of one call."""

    predicted: int = 0
    kept: int = Field(default=0, description="Predicted by an earlier call, and not again.")
    rejected: int = Field(default=0, description="Without a mask, those of earlier calls too.")
    repeated: int = Field(default=0, description="Further times that the source names an image.")
    pixels: int = Field(default=0, description="Pixels of the masks that this call predicted.")

    @property
    def images(self) -> int:
        """All images of the source."""
        return self.predicted + self.kept + self.rejected

    def __add__(self, other: Counts) -> Counts:
        mine, its = self.model_dump(), other.model_dump()
        return Counts(**{name: mine[name] + its[name] for name in mine})


def count_of(entries: Iterable[Entry], kept: bool = False) -> Counts:
    """Returns the counts of entries of this call, or of those `kept` from earlier ones."""
    predicted = rejected = pixels = 0
    for entry in entries:
        if entry.status == "predicted":
            predicted += 1
            pixels += (entry.height or 0) * (entry.width or 0)
        else:
            rejected += 1
    if kept:
        return Counts(kept=predicted, rejected=rejected)
    return Counts(predicted=predicted, rejected=rejected, pixels=pixels)
