"""Source of pairs of files below a root: folders, or a manifest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property, partial

from components.example_gen.config import FoldersSource, ManifestSource
from components.example_gen.dated_manifests import list_manifests
from components.example_gen.dates import split_root
from components.example_gen.files import Folder, open_folder
from components.example_gen.lazy_pair import LazyPair, read_limited
from components.example_gen.pairing import Listing, Pair, list_folders


def open_files(folder: Folder, pairs: Sequence[Pair], max_bytes: int) -> Iterator[LazyPair]:
    """Opens pairs whose image and mask are files of `folder`; see `PairSource.open`."""
    for pair in pairs:
        yield LazyPair(
            pair,
            partial(read_limited, folder, pair.image, pair.image_bytes, max_bytes),
            partial(read_limited, folder, pair.mask, pair.mask_bytes, max_bytes),
        )


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
        return list_folders(self._folder, self._source)

    def open(self, pairs: Sequence[Pair], max_bytes: int) -> Iterator[LazyPair]:
        """See `PairSource.open`."""
        return open_files(self._folder, pairs, max_bytes)

    def count_bytes(self, pairs: Sequence[Pair]) -> int:
        """See `PairSource.count_bytes`."""
        return sum(pair.image_bytes + pair.mask_bytes for pair in pairs)
