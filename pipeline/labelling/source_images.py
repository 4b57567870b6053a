"""The images of a source, as a batch prediction reads them, in batches whose memory is bounded."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from common.map_ahead import map_ahead
from components.batch_predictor.batches import batches_of
from components.batch_predictor.config import AnySource, RecordsSource
from components.batch_predictor.encoding import EncodedImage
from components.batch_predictor.entries import Entry
from components.batch_predictor.listing import count_items, list_items
from components.batch_predictor.opened_images import ImageOpener, OpenedImage
from components.batch_predictor.origin import ModelFacts

_READERS = 4
_SHOWN = 8


class LoadedImage(NamedTuple):
    """An image in memory."""

    path: str
    encoded: EncodedImage


class Rejections:
    """Counts images that are left out, and keeps the reasons of the first ones."""

    def __init__(self) -> None:
        self.number = 0
        self.shown: list[str] = []

    def add(self, path: str, reason: str) -> None:
        """Counts an image."""
        self.number += 1
        if len(self.shown) < _SHOWN:
            self.shown.append(f"{path}: {reason}")

    def lines(self) -> list[str]:
        """Returns the reasons, and how many are not shown."""
        hidden = self.number - len(self.shown)
        return [*self.shown, *([f"{hidden} more"] if hidden else [])]


class SourceImages:
    """The images of a source, which may be read several times."""

    def __init__(
        self, source: AnySource, model: ModelFacts, batch_size: int, batch_pixels: int, max_bytes: int
    ) -> None:
        """Lists the source once.

        Raises:
            UserError: it has no image, or cannot be read.
        """
        self._source = source
        self._batch_size = batch_size
        self._batch_pixels = batch_pixels
        self._opener = ImageOpener(source, model, max_bytes)
        self.number = count_items(source, "")
        """Of images, or of record files."""

    def batches(self, rejections: Rejections, wanted: Collection[str] | None = None) -> Iterator[list[LoadedImage]]:
        """Yields the images; those that cannot be read, or are no image for the model, are counted.

        Args:
            rejections: Counts them.
            wanted: Paths to read; `None`: all.
        """
        loaded = _without_rejected(map_ahead(_load, self._opened(wanted), _READERS), rejections)
        yield from batches_of(loaded, lambda image: image.encoded.pixels, self._batch_size, self._batch_pixels)

    def _opened(self, wanted: Collection[str] | None) -> Iterable[OpenedImage]:
        items = list_items(self._source, "")
        if wanted is None:
            return self._opener.open(items)
        if isinstance(self._source, RecordsSource):
            return (opened for opened in self._opener.open(items) if opened.item.path in wanted)
        return self._opener.open(item for item in items if item.path in wanted)


def _load(opened: OpenedImage) -> LoadedImage | Entry:
    found = opened.encode()
    return found if isinstance(found, Entry) else LoadedImage(opened.item.path, found)


def _without_rejected(images: Iterable[LoadedImage | Entry], rejections: Rejections) -> Iterator[LoadedImage]:
    for image in images:
        if isinstance(image, Entry):
            rejections.add(image.path, image.reason)
        else:
            yield image
