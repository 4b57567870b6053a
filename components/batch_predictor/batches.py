"""Groups images into batches whose memory is bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

_T = TypeVar("_T")


def batches_of(items: Iterable[_T], pixels: Callable[[_T], int | None], size: int, most: int) -> Iterator[list[_T]]:
    """Yields batches of successive items.

    Args:
        items: The images.
        pixels: Pixels of an image; one for which they are unknown is a batch of its own.
        size: Most images of a batch.
        most: Most pixels of a batch; a larger image is a batch of its own.
    """
    batch: list[_T] = []
    total = 0
    for item in items:
        number = pixels(item)
        cost = most + 1 if number is None else number
        if batch and (len(batch) == size or total + cost > most):
            yield batch
            batch, total = [], 0
        batch.append(item)
        total += cost
    if batch:
        yield batch
