"""Sources of pairs: a common interface for folders, manifests, annotation files and TensorFlow data sets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Protocol

from components.example_gen.annotations.config import DrawnSource
from components.example_gen.config import FoldersSource, Limits, ManifestSource, Source, TfdsSource
from components.example_gen.dated_manifests import list_manifests
from components.example_gen.dates import split_root
from components.example_gen.files import Folder, open_folder
from components.example_gen.fingerprint import fingerprint_of
from components.example_gen.lazy_pair import LazyPair, read_limited
from components.example_gen.pairing import Listing, Pair, find_files, pair_by_name


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
    if isinstance(source, DrawnSource):
        from components.example_gen.annotations.open_annotated import open_annotated  # Imports TensorFlow.

        return open_annotated(source, classes, max_pixels)
    return FilePairs(source)


def data_fingerprint(source: Source) -> str:
    """Returns the fingerprint of the data set: it changes if a file is added, removed or written.  Opens no image.

    Raises `UserError` if the source is not usable.
    """
    return open_source(source).listing().fingerprint


class FilePairs:
    """Pairs of files below a root: folders, or a manifest."""

    def __init__(self, source: FoldersSource | ManifestSource) -> None:
        self._source = source

    @cached_property
    def _folder(self) -> Folder:
        return open_folder(split_root(self._source.root)[0], self._source.follow_links)

    def listing(self) -> Listing:
        """See `PairSource.listing`."""
        if isinstance(self._source, ManifestSource):
            return list_manifests(self._source)
        contents = find_files(self._folder, self._source)
        return replace(pair_by_name(contents, self._source), fingerprint=fingerprint_of(contents.files))

    def open(self, pairs: Sequence[Pair], max_bytes: int) -> Iterator[LazyPair]:
        """See `PairSource.open`."""
        for pair in pairs:
            yield LazyPair(
                pair,
                partial(read_limited, self._folder, pair.image, pair.image_bytes, max_bytes),
                partial(read_limited, self._folder, pair.mask, pair.mask_bytes, max_bytes),
            )

    def count_bytes(self, pairs: Sequence[Pair]) -> int:
        """See `PairSource.count_bytes`."""
        return sum(pair.image_bytes + pair.mask_bytes for pair in pairs)
