"""Sources of pairs: a common interface for folders, manifests, annotation files and TensorFlow data sets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from components.example_gen.annotations.config import DrawnSource, PresetSource
from components.example_gen.annotations.preset_pairs import PresetPairs
from components.example_gen.config import Limits, Source, TfdsSource
from components.example_gen.file_pairs import FilePairs
from components.example_gen.lazy_pair import LazyPair
from components.example_gen.pairing import Listing, Pair


class PairSource(Protocol):
    """Interface of a source of pairs.  It is pickled for the Beam workers, so it must not hold open files."""

    def listing(self) -> Listing:
        """Lists all pairs, and what cannot be paired; raises `UserError` if the source itself is not usable."""

    def open(self, pairs: Sequence[Pair], max_bytes: int) -> Iterator[LazyPair]:
        """Opens `pairs`, a subset of the listing in the order of their ids."""

    def count_bytes(self, pairs: Sequence[Pair]) -> int:
        """Estimates the size of `pairs` in bytes."""


def open_source(source: Source, classes: Sequence[str] = (), max_pixels: int = Limits().max_pixels) -> PairSource:
    """Returns the source that the configuration describes.

    Args:
      source: The configuration of the source.
      classes: Names of the classes; sources that draw annotations need them to open pairs, not to list them.
      max_pixels: Most pixels of an image that annotations are drawn for.
    """
    if isinstance(source, TfdsSource):
        from components.example_gen.tfds_source import TfdsPairs  # Imports TensorFlow.

        return TfdsPairs(source)
    if isinstance(source, PresetSource):
        return PresetPairs(source)
    if isinstance(source, DrawnSource):
        from components.example_gen.annotations.open_annotated import open_annotated  # Imports TensorFlow.

        return open_annotated(source, classes, max_pixels)
    return FilePairs(source, classes, max_pixels)


def data_fingerprint(source: Source) -> str:
    """Returns the fingerprint of the data set: it changes if a file is added, removed or written.  Opens no image.

    Raises `UserError` if the source is not usable.
    """
    return open_source(source).listing().fingerprint
