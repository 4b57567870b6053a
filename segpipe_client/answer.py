"""Answers of a server, the same over both protocols."""

from __future__ import annotations

from typing import NamedTuple


class Answer(NamedTuple):
    """Outputs of `serving_default` for one image.

    A model that was exported before it carried its classes' names has none.
    """

    mask_png: bytes
    class_fractions_C: list[float]
    mean_confidence: float
    class_names: tuple[str, ...]
    version: int | None


class ModelBands(NamedTuple):
    """Images of bands that a model takes: their number, and the type of their samples."""

    number: int
    depth: str


class VersionState(NamedTuple):
    """State of a version of the model: `START`, `LOADING`, `AVAILABLE`, `UNLOADING` or `END`.

    `error` says why a version that could not be loaded has ended; it is empty otherwise.
    """

    version: int
    state: str
    error: str
