"""Predicts the images of one shard, and keeps an account of them from which an interrupted call goes on."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from common.errors import UserError
from common.map_ahead import map_ahead
from common.plurals import counted
from components.batch_predictor.batches import batches_of
from components.batch_predictor.config import BatchPredictionConfig
from components.batch_predictor.encoding import EncodedImage
from components.batch_predictor.entries import Counts, Entry, Item, count_of
from components.batch_predictor.index_file import read_part, write_part
from components.batch_predictor.loaded_model import LoadedModel, Refusal
from components.batch_predictor.opened_images import ImageOpener, OpenedImage, rejection
from components.batch_predictor.origin import Origin
from components.batch_predictor.out_folder import OutFolder, journal_folder, mask_path

_READERS = 4
_BATCHES = 2
"""Batches that run at a time: one is decoded while the network computes another."""
_ROWS, _SECONDS = 64, 10.0
"""Rows of the journal are written when there are so many, or after this time."""
_TRIED = 50
"""Images of a process before which it does not judge the share of rejected ones."""


@dataclass(frozen=True)
class Job:
    """What a worker needs to know; it is pickled."""

    config: BatchPredictionConfig
    origin: Origin
    model_folder: str


class RejectedShare:
    """Stops a process that rejects a larger share of its images than the configuration allows."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._counts = Counts()
        self._first = ""
        self._lock = threading.Lock()

    def add(self, entries: Iterable[Entry]) -> None:
        """Counts images of this call.

        Raises:
            UserError: the share is too large.
        """
        entries = list(entries)
        with self._lock:
            self._counts += count_of(entries)
            rejected = [entry for entry in entries if entry.status != "predicted"]
            if rejected and not self._first:
                self._first = f"{rejected[0].path}: {rejected[0].reason}"
            counts, first = self._counts, self._first
        if counts.images >= _TRIED:
            check_share(counts, self._limit, first)


def check_share(counts: Counts, limit: float, first: str) -> None:
    """Raises `UserError` if too many images are rejected; `first` says why one of them is."""
    if counts.rejected > limit * counts.images:
        are = "is" if counts.rejected == 1 else "are"
        raise UserError(
            f"{counts.rejected} of {counted(counts.images, 'image')} {are} rejected, over the limit of {limit:.0%} "
            f"(max_rejected); the first: {first}; the masks that are written stay, and the next call goes on"
        )


class _Loaded(NamedTuple):
    """An image in memory."""

    item: Item
    image: EncodedImage


class ShardPredictor:
    """Predicts shards in one process, which loads the model once."""

    def __init__(self, job: Job, count: Callable[[int], None] = lambda number: None) -> None:
        """Loads the model; `count` is called with numbers of images that are done."""
        self._config = job.config
        self._origin = job.origin
        self._out = OutFolder(job.config.out)
        self._opener = ImageOpener(job.config.source, job.origin.model, job.config.max_bytes)
        self._model = LoadedModel(job.model_folder)
        self._share = RejectedShare(job.config.max_rejected)
        self._count = count

    def predict(self, shard: int, items: Iterable[Item]) -> Counts:
        """Predicts the images that have no result yet, and writes the shard's part of the index.

        Raises:
            UserError: too many images are rejected, or a record file is not one of ingestion.
        """
        account = _Account(self._out, self._origin, shard)
        kept: list[Entry] = []
        seen: set[str] = set()
        repeated = 0

        def unsettled(opened: Iterable[OpenedImage]) -> Iterator[OpenedImage]:
            nonlocal repeated
            for image in opened:
                if image.item.path in seen:
                    repeated += 1
                    continue
                seen.add(image.item.path)
                known = account.known.get(image.item.path)
                if known is None or not known.is_settled_for(image.item):
                    yield image
                else:
                    kept.append(known)

        counts = Counts()
        ordered = sorted(items)
        try:
            for entries in self._predict(unsettled(self._opener.open(ordered))):
                account.add(entries)
                counts += count_of(entries)
                self._count(len(entries))
                self._share.add(entries)
        finally:
            account.save()
        account.finish()
        self._count(len(kept) + repeated)
        return counts + count_of(kept, kept=True) + Counts(repeated=repeated)

    def _predict(self, images: Iterable[OpenedImage]) -> Iterator[list[Entry]]:
        """Yields the entries of batch after batch; files are read and batches are computed in threads."""
        read = map_ahead(_load, images, _READERS)
        batches = batches_of(read, _pixels, self._config.batch_size, self._config.batch_pixels)
        yield from map_ahead(self._predict_batch, batches, _BATCHES)

    def _predict_batch(self, batch: list[_Loaded | Entry]) -> list[Entry]:
        loaded = [one for one in batch if isinstance(one, _Loaded)]
        entries = [one for one in batch if isinstance(one, Entry)]
        answers = self._model.predict([one.image.data for one in loaded]) if loaded else []
        for one, answer in zip(loaded, answers, strict=True):
            if isinstance(answer, Refusal):
                entries.append(rejection(one.item, answer.reason))
                continue
            mask = mask_path(one.item.path)
            self._out.write(mask, answer.mask)
            height, width = answer.size_2
            entries.append(
                Entry(
                    path=one.item.path,
                    status="predicted",
                    mask=mask,
                    height=height,
                    width=width,
                    fractions=answer.fractions,
                    mean_confidence=answer.mean_confidence,
                    state=one.item.state,
                )
            )
        return entries


class _Account:
    """Entries of a shard: those of its complete part of the index, and of the journal of interrupted calls."""

    def __init__(self, out: OutFolder, origin: Origin, shard: int) -> None:
        self._out, self._origin, self._shard = out, origin, shard
        self._journal = journal_folder(shard)
        self.known = {entry.path: entry for entry in read_part(out, origin, shard)}
        self._is_changed = False
        for name in out.names(self._journal):
            for line in out.read(f"{self._journal}/{name}").splitlines():
                self._note(Entry.model_validate_json(line))
        self._fresh: list[Entry] = []
        self._written = time.monotonic()

    def add(self, entries: Iterable[Entry]) -> None:
        """Notes entries whose masks are written; they are in the journal soon."""
        for entry in entries:
            self._note(entry)
            self._fresh.append(entry)
        if len(self._fresh) >= _ROWS or time.monotonic() - self._written > _SECONDS:
            self.save()

    def save(self) -> None:
        """Writes the rows that are not in the journal yet."""
        if self._fresh:
            lines = [entry.model_dump_json().encode() + b"\n" for entry in self._fresh]
            self._out.write(f"{self._journal}/{uuid.uuid4().hex}.jsonl", b"".join(lines))
        self._fresh, self._written = [], time.monotonic()

    def finish(self) -> None:
        """Writes the part of the index, which takes the journal's place."""
        if self._is_changed:
            ordered = [self.known[path] for path in sorted(self.known)]
            write_part(self._out, self._origin, self._shard, ordered)
        self._out.remove(self._journal)

    def _note(self, entry: Entry) -> None:
        self.known[entry.path] = entry
        self._is_changed = True


def _load(opened: OpenedImage) -> _Loaded | Entry:
    image = opened.encode()
    return image if isinstance(image, Entry) else _Loaded(opened.item, image)


def _pixels(one: _Loaded | Entry) -> int | None:
    return one.image.pixels if isinstance(one, _Loaded) else 0
