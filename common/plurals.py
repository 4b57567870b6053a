"""Counted nouns in messages: `1 image`, `2 images`."""

from __future__ import annotations


def counted(count: float, one: str, many: str = "") -> str:
    """Returns a number and its noun, with a verb if the forms have one.

    Args:
        count: The number.
        one: What follows 1.
        many: What follows other numbers; by default `one` with an s.
    """
    number = f"{count:g}" if isinstance(count, float) else str(count)
    return f"{number} {one if count == 1 else many or one + 's'}"
