"""Source of pairs of files below a root: folders, or a manifest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from components.example_gen.annotations.row_annotations import names_annotations, settings_of_rows
from components.example_gen.config import FoldersSource, Limits, ManifestSource
from components.example_gen.dated_manifests import list_manifests
from components.example_gen.dates import split_root
from components.example_gen.files import Folder, open_folder
from components.example_gen.lazy_pair import LazyPair, read_limited
from components.example_gen.pairing import Listing, Pair, list_folders

if TYPE_CHECKING:
    from components.example_gen.annotations.drawn_pairs import DrawnPairs


def open_files(folder: Folder, pairs: Sequence[Pair], max_bytes: int) -> Iterator[LazyPair]:
    """Opens pairs whose image and mask are files of `folder`; see `PairSource.open`."""
    for pair in pairs:
        yield LazyPair(
            pair,
            partial(read_limited, folder, pair.image, pair.image_bytes, max_bytes),
            partial(read_limited, folder, pair.mask, pair.mask_bytes, max_bytes),
        )


def _of_rows(read: Callable[[], bytes]) -> bytes:
    with settings_of_rows():
        return read()


class FilePairs:
    """Pairs of files below a root: folders, or a manifest."""

    def __init__(
        self, source: FoldersSource | ManifestSource, classes: Sequence[str] = (), max_pixels: int = Limits().max_pixels
    ) -> None:
        self._source = source
        self._classes = tuple(classes)
        self._max_pixels = max_pixels

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("_source", "_classes", "_max_pixels")}

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
        if not isinstance(self._source, ManifestSource) or self._source.annotations is None:
            yield from open_files(self._folder, pairs, max_bytes)
            return
        for pair in pairs:
            if names_annotations(pair.mask, self._source.annotations):
                [opened] = self._drawn.open([pair], max_bytes)
                yield opened._replace(mask=partial(_of_rows, opened.mask))
            else:
                yield from open_files(self._folder, [pair], max_bytes)

    @cached_property
    def _drawn(self) -> DrawnPairs:
        """The source that draws annotations that rows name."""
        from components.example_gen.annotations.open_annotated import open_drawn  # Imports TensorFlow.

        assert isinstance(self._source, ManifestSource) and self._source.annotations is not None
        settings = self._source.annotations.source(self._folder.root, self._source.follow_links)
        return open_drawn(settings, self._classes, self._max_pixels)

    def count_bytes(self, pairs: Sequence[Pair]) -> int:
        """See `PairSource.count_bytes`."""
        return sum(pair.image_bytes + pair.mask_bytes for pair in pairs)
