"""Base class of the sources whose masks are drawn when they are read."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from typing import Any

from components.example_gen.annotations.cached import once
from components.example_gen.annotations.config import DrawnSource
from components.example_gen.annotations.drawing import Drawing
from components.example_gen.files import Folder, open_folder
from components.example_gen.lazy_pair import LazyPair, read_limited
from components.example_gen.pairing import Listing, Pair


class DrawnPairs(abc.ABC):
    """Pairs of images and annotations below a root.  It is pickled without what it has opened and parsed."""

    def __init__(self, source: DrawnSource, classes: Sequence[str], max_pixels: int) -> None:
        self._settings = source
        self._classes = tuple(classes)
        self._max_pixels = max_pixels

    def __getstate__(self) -> dict[str, Any]:
        kept = ("_settings", "_classes", "_max_pixels")
        return {name: getattr(self, name) for name in kept}

    @property
    def settings(self) -> DrawnSource:
        """The settings of the source."""
        return self._settings

    @abc.abstractmethod
    def listing(self) -> Listing:
        """See `PairSource.listing`."""

    @abc.abstractmethod
    def _mask(self, pair: Pair, image: Callable[[], bytes], max_bytes: int) -> bytes:
        """Returns the mask file of a pair; raises `RejectionError` if it cannot be drawn."""

    def open(self, pairs: Sequence[Pair], max_bytes: int) -> Iterator[LazyPair]:
        """See `PairSource.open`."""
        for pair in pairs:
            image = once(partial(read_limited, self._folder, pair.image, pair.image_bytes, max_bytes))
            yield LazyPair(pair, image, partial(self._mask, pair, image, max_bytes))

    def count_bytes(self, pairs: Sequence[Pair]) -> int:
        """See `PairSource.count_bytes`."""
        return sum(pair.image_bytes + pair.mask_bytes for pair in pairs)

    @cached_property
    def _folder(self) -> Folder:
        return open_folder(self._settings.root, self._settings.follow_links)

    @cached_property
    def _drawing(self) -> Drawing:
        return Drawing(self._settings, self._classes)
