"""Differences of the records that two runs ingested."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import tensorflow as tf

from common.record_features import first_bytes, image_id
from common.records import IMAGE_ENCODED, MASK_ENCODED, SPLITS


class Pair(NamedTuple):
    """A pair's split, and digests of its image and mask."""

    split: str
    image: bytes
    mask: bytes


class DataChange(NamedTuple):
    """Ids of the pairs that differ, sorted."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    new_image: tuple[str, ...]
    new_mask: tuple[str, ...]
    """Of those with the same image."""
    moved: tuple[str, ...]
    """To another split, with the same image."""

    @property
    def total(self) -> int:
        """Number of differences."""
        return sum(map(len, self))


def has_records(examples: Path, split: str) -> bool:
    """Returns whether there are files of a split."""
    return bool(_files(examples, split))


def serialized(examples: Path, split: str) -> Iterator[bytes]:
    """Yields the records of a split, in the order of the files."""
    yield from tf.data.TFRecordDataset(_files(examples, split)).as_numpy_iterator()


def _files(examples: Path, split: str) -> list[str]:
    return sorted(str(path) for path in examples.joinpath(f"Split-{split}").glob("*") if path.is_file())


def read_pairs(examples: Path) -> dict[str, Pair]:
    """Returns all pairs of a run's records by id."""
    pairs = {}
    for split in SPLITS:
        for record in serialized(examples, split):
            features = tf.train.Example.FromString(record).features.feature
            image, mask = (_digest(first_bytes(features, name)) for name in (IMAGE_ENCODED, MASK_ENCODED))
            pairs[image_id(features)] = Pair(split, image, mask)
    return pairs


def data_change(a: Mapping[str, Pair], b: Mapping[str, Pair]) -> DataChange:
    """Compares the pairs of two runs by id."""
    both = sorted(a.keys() & b.keys())
    return DataChange(
        added=tuple(sorted(b.keys() - a.keys())),
        removed=tuple(sorted(a.keys() - b.keys())),
        new_image=tuple(name for name in both if a[name].image != b[name].image),
        new_mask=tuple(name for name in both if a[name].image == b[name].image and a[name].mask != b[name].mask),
        moved=tuple(name for name in both if a[name].image == b[name].image and a[name].split != b[name].split),
    )


def trained_on(a: Mapping[str, Pair], b: Mapping[str, Pair], split: str) -> int:
    """Returns how many images of a split of `b` were in `a`'s training or eval split, under whatever name."""
    seen = {pair.image for pair in a.values() if pair.split in ("train", "eval")}
    return sum(pair.split == split and pair.image in seen for pair in b.values())


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()
