"""Splits that a data set brings, of which some may be missing."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from common.records import SPLITS
from components.example_gen.pairing import Pair


def in_split(pair: Pair, split: str, given: Collection[str]) -> Pair:
    """Returns the pair in `split`; those of train are shared with the splits that are not among the `given` ones."""
    missing = tuple(name for name in SPLITS if name not in given)
    if split == "train" and missing:
        return replace(pair, split=None, among=("train", *missing))
    return replace(pair, split=split)
