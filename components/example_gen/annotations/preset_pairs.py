"""Sources of pairs of public data sets: folders that are known, and masks of known values."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property

from common.errors import UserError
from components.example_gen.annotations.config import PresetSource, VocSource
from components.example_gen.annotations.given_splits import in_split
from components.example_gen.config import FoldersSource
from components.example_gen.file_pairs import open_files
from components.example_gen.files import FileInfo, Folder, names, open_folder
from components.example_gen.fingerprint import fingerprint_of
from components.example_gen.lazy_pair import LazyPair
from components.example_gen.named_files import NamedFiles
from components.example_gen.pairing import Listing, Pair, find_files, pair_by_name
from components.example_gen.quarantine import Quarantined, Reason
from components.example_gen.rejection import RejectionError

_LISTS = "ImageSets/Segmentation"
_MAX_LIST_BYTES = 50_000_000


class PresetPairs:
    """Pairs of a public data set, as it is distributed."""

    def __init__(self, source: PresetSource) -> None:
        self._source = source

    @cached_property
    def _folder(self) -> Folder:
        return open_folder(self._source.root, self._source.follow_links)

    def listing(self) -> Listing:
        """See `PairSource.listing`."""
        found = _list_voc if isinstance(self._source, VocSource) else _list_cityscapes
        return found(self._folder, self._source)

    def open(self, pairs: Sequence[Pair], max_bytes: int) -> Iterator[LazyPair]:
        """See `PairSource.open`."""
        return open_files(self._folder, pairs, max_bytes)

    def count_bytes(self, pairs: Sequence[Pair]) -> int:
        """See `PairSource.count_bytes`."""
        return sum(pair.image_bytes + pair.mask_bytes for pair in pairs)


def _list_voc(folder: Folder, source: PresetSource) -> Listing:
    lists = {theirs: _read_list(folder, f"{_LISTS}/{theirs}.txt") for theirs in source.splits}
    counts = Counter(name for _, listed in lists.values() for name in listed)
    files = NamedFiles(folder, [path for name in counts for path in _voc_paths(name)])
    pairs: list[Pair] = []
    quarantined: list[Quarantined] = []
    for theirs, (_, listed) in lists.items():
        for name in dict.fromkeys(listed):
            try:
                pairs.append(
                    in_split(_voc_pair(files, name, counts[name]), source.splits[theirs], source.splits.values())
                )
            except RejectionError as rejected:
                placed = rejected.within(f"{theirs}.txt names {name!r}, which")
                quarantined.append(placed.entry(name, *_voc_paths(name)))
    contents = b"\0".join(data for data, _ in lists.values())
    if not counts:
        raise UserError(f"the lists {names(lists)} in {_LISTS} name no image")
    return Listing(tuple(pairs), tuple(quarantined), 0, fingerprint_of(files.found.values(), contents))


def _read_list(folder: Folder, path: str) -> tuple[bytes, list[str]]:
    """The bytes of a list, and the names in it."""
    if path not in folder.look_up([path]):
        there = [posixpath.basename(info.path) for info in folder.walk(_LISTS)]
        raise UserError(
            f"no list {path} below {folder.root}, where there is {names(there)}; set data.source.splits, or use a "
            "source of type folders"
        )
    try:
        data = folder.read(path, _MAX_LIST_BYTES)
        lines = data.decode("utf-8-sig").splitlines()
    except (RejectionError, UnicodeDecodeError) as error:
        raise UserError(f"the list {path} cannot be read: {error}") from error
    return data, [line.split()[0] for line in lines if line.strip()]


def _voc_paths(name: str) -> tuple[str, str]:
    return f"JPEGImages/{name}.jpg", f"SegmentationClass/{name}.png"


def _voc_pair(files: NamedFiles, name: str, count: int) -> Pair:
    if count > 1:
        cause, remedy = "is in the lists more than once", "leave one list out of data.source.splits"
        raise RejectionError(Reason.AMBIGUOUS_NAME, f"{cause}; {remedy}", f"a name {cause}", remedy)
    image, mask = (
        files.look_up(kind, files.path(path)) for kind, path in zip(("image", "mask"), _voc_paths(name), strict=True)
    )
    return Pair(name, image.path, mask.path, image_bytes=image.size, mask_bytes=mask.size)


def _list_cityscapes(folder: Folder, source: PresetSource) -> Listing:
    pairs: list[Pair] = []
    quarantined: list[Quarantined] = []
    files: list[FileInfo] = []
    ignored = 0
    for theirs in source.splits:
        globs = FoldersSource(
            root=source.root,
            images=(f"leftImg8bit/{theirs}/*/*_leftImg8bit.png",),
            masks=(f"gtFine/{theirs}/*/*_gtFine_labelIds.png",),
        )
        contents = find_files(folder, globs)
        listing = pair_by_name(contents, globs)
        cities = [replace(pair, group=posixpath.dirname(pair.id)) for pair in listing.pairs]
        pairs += [in_split(pair, source.splits[theirs], source.splits.values()) for pair in cities]
        quarantined += listing.quarantined
        files += contents.files
        ignored += listing.ignored_files
    return Listing(tuple(pairs), tuple(quarantined), ignored, fingerprint_of(files))
