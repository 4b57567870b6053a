"""What both protocols carry back."""

from __future__ import annotations

from typing import NamedTuple


class Answer(NamedTuple):
    """The outputs of `serving_default` for one picture.

    A model that was exported before it carried its classes' names has none.
    """

    mask_png: bytes
    class_fractions_C: list[float]
    mean_confidence: float
    class_names: tuple[str, ...]
    version: int | None
