"""Assigns pairs to splits, and prevents leaks between splits."""

from __future__ import annotations

import hashlib
import posixpath
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from components.example_gen.config import Split
from components.example_gen.files import names
from components.example_gen.pairing import Pair
from components.example_gen.quarantine import Quarantined, Reason

PROTECTED = ("test", "eval", "train")
"""The splits, in the order in which they are protected from leaks."""


@dataclass(frozen=True)
class Candidate:
    """A pair whose image was read once, with the hash of its content and its split."""

    pair: Pair
    content: str
    split: str
    repeats: bool = False
    """Whether another pair of the split has the same image and the same mask."""
    fold: int | None = None
    """The fold of cross-validation, 0 in test; None without folds."""

    @property
    def part(self) -> str:
        """What must not share an image with the rest of the data: a fold, or else a split."""
        return f"fold {self.fold}" if self.fold else self.split

    @property
    def protection(self) -> tuple[int, int]:
        """The place of `part` in the order of protection from leaks."""
        return PROTECTED.index(self.split), self.fold or 0


def content_hash(data: bytes) -> str:
    """The SHA-256 of an image file's bytes."""
    return hashlib.sha256(data).hexdigest()


def hashed_share(seed: int, key: str) -> float:
    """A number in [0, 1) that depends on `seed` and `key` alone, uniform over keys."""
    digest = hashlib.sha256(f"{seed}:{key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def choose_split(pair: Pair, content: str, seed: int, shares: Split) -> str:
    """Returns the given split, or the one by the hash of the pair's group, or else of its image's content."""
    if pair.split is not None:
        return pair.split
    weights = {name: getattr(shares, name) for name in pair.among}
    total = sum(weights.values())
    if total == 0:
        return pair.among[0]
    place = hashed_share(seed, content if pair.group is None else pair.group) * total
    for name, weight in weights.items():
        if place < weight:
            return name
        place -= weight
    return max(weights, key=lambda name: weights[name])  # Shares that add up to slightly less than 1.


def resolve_files(pairs: Iterable[Pair]) -> tuple[list[Pair], list[Quarantined]]:
    """Keeps the pairs whose files are used once.

    A pair whose image and mask are one file is quarantined, and so are pairs of different images that name one mask.
    """
    listed = list(pairs)
    sharing_images = _masks_of_several(listed)
    kept, refused = [], []
    for pair in listed:
        sharing = sharing_images.get(_normal(pair.mask), set())
        if _normal(pair.image) == _normal(pair.mask):
            cause, remedy = "image and mask are one file", "name the mask's own file"
            refused.append(pair.quarantine(Reason.SAME_FILE, f"{cause}, {pair.image}; {remedy}", cause, remedy))
        elif sharing:
            cause, remedy = "one file is the mask of several images", "name each image's own mask"
            detail = f"{pair.mask} is the mask of {len(sharing)} images ({names(sharing)}); {remedy}"
            refused.append(pair.quarantine(Reason.SHARED_MASK, detail, cause, remedy))
        else:
            kept.append(pair)
    return kept, refused


def _masks_of_several(pairs: Iterable[Pair]) -> dict[str, set[str]]:
    """Returns the masks of more than one image, with these images; one entry a pair is in memory, not a set."""
    first: dict[str, str] = {}
    several: dict[str, set[str]] = {}
    for pair in pairs:
        mask, image = _normal(pair.mask), _normal(pair.image)
        known = first.setdefault(mask, image)
        if known != image:
            several.setdefault(mask, {known}).add(image)
    return several


def _normal(path: str) -> str:
    """Returns the normalised path; the same object if it is that already, so that it takes no more memory."""
    normal = posixpath.normpath(path)
    return path if normal == path else normal


def resolve_groups(pairs: Iterable[Pair]) -> tuple[list[Pair], list[Quarantined]]:
    """Keeps each group in one split.

    If a group's rows name two splits, those of the less protected one are quarantined; rows that name none follow
    the rest of their group.
    """
    splits: defaultdict[str, set[str]] = defaultdict(set)
    listed = list(pairs)
    for pair in listed:
        if pair.group is not None and pair.split is not None:
            splits[pair.group].add(pair.split)
    home = {group: min(named, key=PROTECTED.index) for group, named in splits.items()}
    kept, leaks = [], []
    for pair in listed:
        split = home.get(pair.group) if pair.group is not None else None
        if split is None or pair.split == split:
            kept.append(pair)
        elif pair.split is None:
            kept.append(replace(pair, split=split))
        else:
            detail = f"group {pair.group!r} is in {split}, so this pair cannot be in {pair.split}"
            leaks.append(pair.quarantine(Reason.LEAK, detail))
    return kept, leaks


def resolve_contradictions(
    duplicates: Sequence[Candidate], masks: Mapping[str, str]
) -> tuple[list[Candidate], list[Quarantined]]:
    """Quarantines all pairs with the same image content but different masks, because the right one is unknown.

    `masks` is the content of each mask by the pair's id; pairs without one are kept.
    """
    known = [candidate for candidate in duplicates if candidate.pair.id in masks]
    if len(set(masks.values())) < 2:
        return list(duplicates), []
    ids = names(repr(candidate.pair.id) for candidate in known)
    cause, remedy = "the same image occurs with masks that contradict each other", "keep one of them"
    detail = f"{cause}: {ids}; {remedy}, or one mask with all classes"
    refused = [duplicate.pair.quarantine(Reason.CONTRADICTING_MASKS, detail, cause, remedy) for duplicate in known]
    return [candidate for candidate in duplicates if candidate.pair.id not in masks], refused


def resolve_duplicates(duplicates: Iterable[Candidate]) -> tuple[list[Candidate], list[Quarantined]]:
    """Keeps those pairs with the same image content that are in the most protected split or fold of any of them."""
    ordered = sorted(duplicates, key=lambda candidate: candidate.pair.id)
    part = min(ordered, key=lambda candidate: candidate.protection).part
    kept = [candidate for candidate in ordered if candidate.part == part]
    kept = kept[:1] + [replace(candidate, repeats=True) for candidate in kept[1:]]
    reason = f"the image has the same content as {kept[0].pair.id!r} in {part}"
    leaks = [
        duplicate.pair.quarantine(Reason.LEAK, f"{reason}; this one is in {duplicate.part}")
        for duplicate in ordered
        if duplicate.part != part
    ]
    return kept, leaks
