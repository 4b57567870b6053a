"""Checks of COCO's run-length encodings before they are decoded: pycocotools trusts the lengths that it is given."""

from __future__ import annotations

from collections.abc import Sequence

_FIRST = 48  # The text holds 6 bits a character, above this code: 5 of the value, and whether another one follows.
_MOST_CHARACTERS = 7  # Of one value: 35 bits.


def total(counts: Sequence[int]) -> int:
    """The number of pixels of uncompressed `counts`; raises `ValueError` if one is not a length."""
    if any(type(count) is not int or count < 0 for count in counts):
        raise ValueError("has a run length that is not a whole number from 0 on")
    return sum(counts)


def expand(text: bytes) -> list[int]:
    """The run lengths of a compressed encoding; raises `ValueError` if it is damaged.

    From the fourth on, a value is the difference from the length before the last one.
    """
    counts: list[int] = []
    value = shift = 0
    for character in text:
        code = character - _FIRST
        if not 0 <= code < 64 or shift >= 5 * _MOST_CHARACTERS:
            raise ValueError("has a compressed run-length encoding that is damaged")
        value |= (code & 0x1F) << shift
        shift += 5
        if code & 0x20:
            continue
        if code & 0x10:
            value -= 1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
        value = shift = 0
    if shift:
        raise ValueError("has a compressed run-length encoding that is cut off")
    return counts
