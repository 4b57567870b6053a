"""What ingestion does to pairs, whoever drives it: a Beam pipeline, or a survey in this process."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

from components.errors import UserError
from components.example_gen.config import DataConfig
from components.example_gen.features import Measures, bucket_slices, build_example, measure
from components.example_gen.images import canonical_image
from components.example_gen.label_map import LabelMap, label_map
from components.example_gen.masks import canonical_mask
from components.example_gen.pairing import Listing, Pair
from components.example_gen.quarantine import Quarantined
from components.example_gen.rejection import Rejected
from components.example_gen.sources import Opened, PairSource, open_source
from components.example_gen.splits import Candidate, choose_split, content_hash, settle_groups
from components.records import SPLITS

_THREADS = 8
_T = TypeVar("_T")
_R = TypeVar("_R")


@dataclass(frozen=True)
class Used:
    """A pair that is used."""

    record: bytes
    """The serialised `tf.train.Example`; equal pairs give equal bytes."""
    split: str
    measures: Measures
    slices: dict[str, str]


class Ingestion:
    """The work on the pairs of one data set.  It is pickled on its way to the workers."""

    def __init__(self, config: DataConfig, seed: int) -> None:
        self._config = config
        self._seed = seed
        self._source: PairSource = open_source(config.source)

    def __getstate__(self) -> dict[str, Any]:
        return {"_config": self._config, "_seed": self._seed, "_source": self._source}  # The label map is large.

    @cached_property
    def _label_map(self) -> LabelMap:
        return label_map(self._config.labels, self._config.classes)

    def listing(self) -> Listing:
        """All that the source holds, groups settled; raises `UserError` where the source is not usable."""
        listing = self._source.listing()
        taken = {column for pair in listing.pairs[:1] for column in pair.slices} & set(self._config.buckets)
        if taken:
            raise UserError(f"the bucket {min(taken)!r} has the name of a slicing column; give it another one")
        pairs, leaks = settle_groups(listing.pairs)
        return replace(listing, pairs=tuple(pairs), quarantined=(*listing.quarantined, *leaks))

    def shards(self, listing: Listing) -> dict[str, int]:
        """How many record files each split gets: about `shard_bytes` in each, one at least."""
        counts = {}
        for split in SPLITS:
            given = [pair for pair in listing.pairs if pair.split == split]
            hashed = [pair for pair in listing.pairs if pair.split is None and split in pair.among]
            size = self._source.count_bytes(given)
            size += int(self._source.count_bytes(hashed) * getattr(self._config.split, split))
            counts[split] = max(1, -(-size // self._config.shard_bytes))
        return counts

    def count_bytes(self, pairs: Sequence[Pair]) -> int:
        """The size of the files of `pairs`."""
        return self._source.count_bytes(pairs)

    def identify(self, pairs: Sequence[Pair]) -> Iterator[Candidate | Quarantined]:
        """Reads each image once, for the hash of its content and its split."""
        return self._each(pairs, self._identify)

    def load(self, candidates: Sequence[Candidate]) -> Iterator[Used | Quarantined]:
        """Reads, checks and makes canonical each pair, in the order of `candidates`, which is that of their ids."""
        splits = {candidate.pair.id: candidate.split for candidate in candidates}
        pairs = [candidate.pair for candidate in candidates]
        return self._each(pairs, lambda opened: self._load(opened, splits[opened.pair.id]))

    def _each(self, pairs: Sequence[Pair], work: Callable[[Opened], _R]) -> Iterator[_R | Quarantined]:
        def tried(opened: Opened) -> _R | Quarantined:
            try:
                return work(opened)
            except Rejected as rejected:
                return opened.pair.set_aside(rejected.reason, rejected.detail, rejected.cause, rejected.remedy)

        return map_ahead(tried, self._source.open(pairs, self._config.limits.max_bytes))

    def _identify(self, opened: Opened) -> Candidate:
        content = content_hash(opened.image())
        return Candidate(opened.pair, content, choose_split(opened.pair, content, self._seed, self._config.split))

    def _load(self, opened: Opened, split: str) -> Used:
        config = self._config
        try:
            image = canonical_image(opened.image(), config.limits.max_pixels)
        except Rejected as rejected:
            raise rejected.within("image:") from rejected
        try:
            mask = canonical_mask(
                opened.mask(), image, self._label_map, config.limits.max_pixels, config.max_aspect_difference
            )
        except Rejected as rejected:
            raise rejected.within("mask:") from rejected
        measures = measure(image.image_HWC, mask.mask_HW, len(config.classes))
        slices = opened.pair.slices | bucket_slices(config.buckets, measures)
        example = build_example(opened.pair.id, image, mask, measures, config.classes, slices)
        return Used(example.SerializeToString(deterministic=True), split, measures, slices)


def map_ahead(work: Callable[[_T], _R], items: Iterable[_T]) -> Iterator[_R]:
    """`map(work, items)` with a few items in work at a time: decoding, hashing and reading leave Python's lock."""
    threads = min(_THREADS, os.cpu_count() or 1)
    with ThreadPoolExecutor(threads) as pool:
        ahead: deque[Future[_R]] = deque()
        try:
            for item in items:
                ahead.append(pool.submit(work, item))
                if len(ahead) >= 2 * threads:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            for future in ahead:
                future.cancel()
