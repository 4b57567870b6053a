"""Ingestion of pairs, driven by a Beam pipeline or by a dry run in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from common.errors import UserError
from common.image_tone import samples_tone
from common.map_ahead import map_ahead
from common.records import SPLITS
from components.example_gen.band_images import canonical_bands
from components.example_gen.class_stratification import stratify_by_classes
from components.example_gen.config import BY_CLASSES, DataConfig, Labels, TfdsSource
from components.example_gen.features import Measures, bucket_slices, build_example, measure, rgb_tone
from components.example_gen.folds import TEST, fold_by_classes, fold_by_strata, with_fold, without_eval
from components.example_gen.georeference import check_same_place
from components.example_gen.images import CanonicalImage, canonical_image
from components.example_gen.label_counts import MaskFacts
from components.example_gen.label_map import LabelMap, label_map
from components.example_gen.lazy_pair import LazyPair
from components.example_gen.masks import CanonicalMask, canonical_mask, classes_in
from components.example_gen.pairing import Listing, Pair
from components.example_gen.quarantine import Quarantined, Reason
from components.example_gen.rejection import RejectionError
from components.example_gen.slices import check_buckets
from components.example_gen.sources import PairSource, open_source
from components.example_gen.splits import (
    Candidate,
    choose_split,
    content_hash,
    resolve_contradictions,
    resolve_duplicates,
    resolve_files,
    resolve_groups,
)
from components.example_gen.stratification import stratify

_R = TypeVar("_R")


@dataclass(frozen=True)
class IngestedExample:
    """An ingested pair."""

    record: bytes
    """The serialised `tf.train.Example`; equal pairs have equal bytes."""
    split: str
    measures: Measures
    slices: dict[str, str]
    mask: MaskFacts
    repeats: bool
    """Whether another pair of the split has the same image and the same mask."""
    fold: int | None = None
    """See `Candidate.fold`."""


class Ingestion:
    """Ingests the pairs of one data set.  It is pickled for the Beam workers."""

    def __init__(self, config: DataConfig, seed: int) -> None:
        self._config = config
        self._seed = seed
        self._source: PairSource = open_source(config.source, config.classes, config.limits.max_pixels)

    def __getstate__(self) -> dict[str, Any]:
        return {"_config": self._config, "_seed": self._seed, "_source": self._source}  # The label map is large.

    @cached_property
    def _label_map(self) -> LabelMap:
        return label_map(self._config.mask_labels, self._config.classes)

    @property
    def folds(self) -> int | None:
        """The number of folds of cross-validation."""
        return self._config.split.folds

    @property
    def labels(self) -> Labels:
        """The label map."""
        return self._config.mask_labels

    def listing(self) -> Listing:
        """Lists the source, stratified if configured; raises `UserError` if it is not usable.

        Stratification by classes reads all masks.
        """
        listing = self.unsplit_listing()
        shares, seed = self._config.split, self._seed
        if shares.stratify != BY_CLASSES:
            pairs = stratify(listing.pairs, seed, shares)
            if shares.stratify and shares.folds:
                pairs = fold_by_strata(pairs, seed, shares.stratify, shares.folds)
            return replace(listing, pairs=tuple(pairs))
        _check_no_column(listing)
        classes = self._read_classes(listing.pairs)
        pairs = stratify_by_classes(listing.pairs, classes, seed, shares)
        if shares.folds:
            pairs = fold_by_classes(pairs, classes, seed, shares.folds)
        return replace(listing, pairs=tuple(pairs))

    def _read_classes(self, pairs: Sequence[Pair]) -> dict[str, frozenset[int]]:
        """Returns the classes in the masks of the pairs that are to be distributed."""
        distributed = [pair for pair in pairs if pair.split is None or (self.folds and pair.split != TEST)]
        read = self._each(distributed, self._classes_in)
        return dict(found for found in read if not isinstance(found, Quarantined))  # They are rejected again later.

    def unsplit_listing(self) -> Listing:
        """Lists the source, with shared files and groups resolved; raises `UserError` if it is not usable."""
        listing = self._source.listing()
        check_buckets(self._config, listing)
        pairs, shared = list(listing.pairs), list[Quarantined]()
        if not isinstance(self._config.source, TfdsSource):  # There, image and mask have the same name.
            pairs, shared = resolve_files(pairs)
        pairs, leaks = resolve_groups(without_eval(pairs) if self.folds else pairs)
        return replace(listing, pairs=tuple(pairs), quarantined=(*listing.quarantined, *shared, *leaks))

    def shards(self, listing: Listing) -> dict[str, int]:
        """Returns the number of record files per split: about `shard_bytes` in each, at least one."""
        sizes = {}
        for split in SPLITS:
            given = [pair for pair in listing.pairs if pair.split == split]
            hashed = [pair for pair in listing.pairs if pair.split is None and split in pair.among]
            sizes[split] = self._source.count_bytes(given)
            sizes[split] += int(self._source.count_bytes(hashed) * getattr(self._config.split, split))
        if self.folds:
            in_folds = sizes["train"] + sizes["eval"]
            sizes["eval"] = in_folds // self.folds
            sizes["train"] = in_folds - sizes["eval"]
        return {split: max(1, -(-size // self._config.shard_bytes)) for split, size in sizes.items()}

    def count_bytes(self, pairs: Sequence[Pair]) -> int:
        """The size of the files of `pairs`."""
        return self._source.count_bytes(pairs)

    def identify(self, pairs: Sequence[Pair]) -> Iterator[Candidate | Quarantined]:
        """Reads each image once, for the hash of its content and its split."""
        return self._each(pairs, self._identify)

    def resolve(self, duplicates: Sequence[Candidate]) -> tuple[list[Candidate], list[Quarantined]]:
        """Resolves candidates with the same image content: keeps those that neither contradict each other nor leak.

        The masks of several candidates are read for that.
        """
        if len(duplicates) == 1:
            return list(duplicates), []
        ordered = sorted(duplicates, key=lambda candidate: candidate.pair.id)
        contents = dict(
            found
            for found in self._each([candidate.pair for candidate in ordered], self._mask_content)
            if not isinstance(found, Quarantined)  # They are rejected again when they are loaded.
        )
        agreeing, contradicting = resolve_contradictions(ordered, contents)
        if not agreeing:
            return [], contradicting
        kept, leaks = resolve_duplicates(agreeing)
        return kept, [*contradicting, *leaks]

    def load(self, candidates: Sequence[Candidate]) -> Iterator[IngestedExample | Quarantined]:
        """Reads, checks and converts each pair, in the order of `candidates`, which is that of their ids."""
        by_id = {candidate.pair.id: candidate for candidate in candidates}
        pairs = [candidate.pair for candidate in candidates]
        return self._each(pairs, lambda opened: self._load(opened, by_id[opened.pair.id]))

    def _each(self, pairs: Sequence[Pair], work: Callable[[LazyPair], _R]) -> Iterator[_R | Quarantined]:
        def tried(opened: LazyPair) -> _R | Quarantined:
            try:
                return work(opened)
            except RejectionError as rejected:
                return rejected.entry(opened.pair.id, opened.pair.image, opened.pair.mask)

        return map_ahead(tried, self._source.open(pairs, self._config.limits.max_bytes))

    def _identify(self, opened: LazyPair) -> Candidate:
        content = content_hash(opened.image())
        split = choose_split(opened.pair, content, self._seed, self._config.split)
        candidate = Candidate(opened.pair, content, split)
        return with_fold(candidate, self._seed, self.folds) if self.folds else candidate

    def _decode(self, opened: LazyPair) -> tuple[CanonicalImage, CanonicalMask]:
        limits = self._config.limits
        try:
            image_data = opened.image()
            image = self._image(image_data)
        except RejectionError as rejected:
            raise rejected.within("image:") from rejected
        try:
            mask_data = opened.mask()
            if mask_data == image_data:
                cause, remedy = "image and mask have the same bytes", "name the mask's own file"
                raise RejectionError(Reason.SAME_FILE, f"{cause}; {remedy}", cause, remedy)
            mask = canonical_mask(
                mask_data, image, self._label_map, limits.max_pixels, self._config.max_aspect_difference
            )
            check_same_place(image_data, mask_data)
        except RejectionError as rejected:
            raise rejected.within("mask:") from rejected
        return image, mask

    def _image(self, data: bytes) -> CanonicalImage:
        bands, max_pixels = self._config.bands, self._config.limits.max_pixels
        return canonical_bands(data, bands, max_pixels) if bands else canonical_image(data, max_pixels)

    def _mask_content(self, opened: LazyPair) -> tuple[str, str]:
        """The pair's id and the hash of its canonical mask."""
        mask_HW = self._decode(opened)[1].mask_HW
        return opened.pair.id, content_hash(np.ascontiguousarray(mask_HW).tobytes())

    def _classes_in(self, opened: LazyPair) -> tuple[str, frozenset[int]]:
        """The pair's id and the classes in its mask."""
        return opened.pair.id, classes_in(opened.mask(), self._label_map, self._config.limits.max_pixels)

    def _load(self, opened: LazyPair, candidate: Candidate) -> IngestedExample:
        config = self._config
        image, mask = self._decode(opened)
        measures = measure(
            image.image_HWC, mask.mask_HW, len(config.classes), samples_tone if config.bands else rgb_tone
        )
        slices = opened.pair.slices | bucket_slices(config.buckets, measures)
        example = build_example(opened.pair.id, image, mask, measures, config.classes, slices, candidate.fold)
        facts = _facts(opened.pair.mask, mask, measures)
        record = example.SerializeToString(deterministic=True)
        return IngestedExample(record, candidate.split, measures, slices, facts, candidate.repeats, candidate.fold)


def _check_no_column(listing: Listing) -> None:
    """Raises `UserError` if a slicing column has the name that means the masks' classes."""
    if any(BY_CLASSES in pair.slices for pair in listing.pairs):
        raise UserError(
            f"data.split.stratify: {BY_CLASSES} means the classes in the masks, but the data has a slicing column of "
            "that name too; rename the column"
        )


def _facts(path: str, mask: CanonicalMask, measures: Measures) -> MaskFacts:
    labelled = mask.labelled
    return MaskFacts(
        path,
        labelled.named,
        labelled.unknown,
        labelled.unknown_pixels,
        mask.palette,
        classes=int((measures.class_pixels > 0).sum()),
        has_void=measures.void_pixels > 0,
    )
