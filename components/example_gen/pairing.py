"""Pairs images and masks in folders by name."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from common.errors import UserError
from common.plurals import counted
from common.records import SPLITS
from components.example_gen.config import FoldersSource
from components.example_gen.dates import DatedPath, is_dated, resolved, split_root
from components.example_gen.files import FileInfo, Folder, names, top_level
from components.example_gen.fingerprint import fingerprint_of
from components.example_gen.globs import Glob
from components.example_gen.lookalikes import any_case, unicode_form
from components.example_gen.naming import (
    Advice,
    advise,
    explain_several,
    most_frequent_suffix,
    owner_of,
    several_masks,
    suffix_line,
)
from components.example_gen.quarantine import Quarantined, Reason
from components.example_gen.rejection import RejectionError
from components.example_gen.suffixes import PICTURE_SUFFIXES


class MaskPart(NamedTuple):
    """One of several mask files of an image."""

    label: str
    """Class of its object."""
    path: str
    size: int
    """Bytes."""


@dataclass(frozen=True, slots=True)  # There may be millions: a dictionary in each takes a third more.
class Pair:
    """An image and its mask, not yet read."""

    id: str
    image: str
    """Path relative to the root, or the position in a TensorFlow data set."""
    mask: str
    split: str | None = None
    """The given split, or None if a hash decides among `among`."""
    among: tuple[str, ...] = SPLITS
    group: str | None = None
    """All pairs of a group are in one split."""
    slices: dict[str, str] = field(default_factory=dict)
    image_bytes: int = 0
    mask_bytes: int = 0
    fold: int | None = None
    """The fold of cross-validation, if stratification has chosen it."""
    parts: tuple[MaskPart, ...] = ()
    """The mask files of a pair that has several; `mask` is the first."""

    def quarantine(
        self, reason: Reason, detail: str, cause: str | None = None, remedy: str | None = None
    ) -> Quarantined:
        """Returns the quarantine entry of this pair."""
        return Quarantined(
            id=self.id, image=self.image, mask=self.mask, reason=reason, detail=detail, cause=cause, remedy=remedy
        )


@dataclass(frozen=True)
class Listing:
    """The content of a source, before any image is opened."""

    pairs: tuple[Pair, ...]
    quarantined: tuple[Quarantined, ...] = ()
    ignored_files: int = 0
    fingerprint: str = ""
    notes: tuple[str, ...] = ()
    """Assumptions made in reading the source that are not in the configuration, one sentence each."""


@dataclass
class _Named:
    """The files of one name."""

    images: list[FileInfo] = field(default_factory=list)
    masks: list[FileInfo] = field(default_factory=list)


@dataclass
class FolderContents:
    """The files that the globs of a folder source match."""

    images: list[tuple[str, FileInfo]] = field(default_factory=list)
    masks: list[tuple[str, FileInfo]] = field(default_factory=list)
    unsuffixed: list[tuple[str, FileInfo]] = field(default_factory=list)
    """Files among the masks whose names do not end with `mask_suffix`."""
    problems: list[FileInfo] = field(default_factory=list)
    """Folders that must not or cannot be read."""
    ignored_files: int = 0

    @property
    def files(self) -> list[FileInfo]:
        """Every relevant file."""
        return [info for _, info in (*self.images, *self.masks, *self.unsuffixed)] + self.problems


def is_stray(path: str) -> bool:
    """Returns whether a file is ignored by its name (`.DS_Store`, `Thumbs.db`, `__MACOSX/…`, notes)."""
    parts = path.split("/")
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
    return hidden or posixpath.splitext(path)[1].lower() not in PICTURE_SUFFIXES


def list_folders(folder: Folder, source: FoldersSource) -> Listing:
    """Returns the pairs below `folder`; raises `UserError` as `find_files` and `pair_by_name` do."""
    contents = find_files(folder, source)
    return replace(pair_by_name(contents, source), fingerprint=fingerprint_of(contents.files))


def find_files(folder: Folder, source: FoldersSource) -> FolderContents:
    """Returns the images and masks that the globs of `source` match, by name; `folder` holds all dates.

    With dates, each name begins with its date, so that images of two days are kept apart.

    Raises `UserError` if the globs match no image or no mask, if one file matches both kinds and `mask_suffix`
    does not decide which it is, or if no mask has the `mask_suffix`.
    """
    image_globs, mask_globs = _globs(source, source.images), _globs(source, source.masks)
    contents = FolderContents()
    both: dict[str, str] = {}
    for info in walk_below(folder, [glob.prefix for glob in (*image_globs, *mask_globs)]):
        image, mask = name_of(image_globs, info.path), name_of(mask_globs, info.path)
        if info.problem and is_stray(info.path):
            contents.problems.append(info)
        elif image is None and mask is None:
            continue
        elif is_stray(info.path):
            contents.ignored_files += 1
        elif image is not None and mask is not None:
            both[image] = info.path
            _add(contents, image, mask if _has_suffix(info, source) else None, info)
        elif mask is not None and not _has_suffix(info, source):
            contents.unsuffixed.append((mask, info))
        else:
            _add(contents, image, mask, info)
    if both and not source.mask_suffix:
        raise UserError(_told_apart(both))
    _strip_suffix(contents, source)
    _require(folder, "image", image_globs, contents.images, contents.problems)
    _require(folder, "mask", mask_globs, contents.masks, contents.problems)
    return contents


def _add(contents: FolderContents, image: str | None, mask: str | None, info: FileInfo) -> None:
    if mask is not None:
        contents.masks.append((mask, info))
    elif image is not None:
        contents.images.append((image, info))


def _has_suffix(info: FileInfo, source: FoldersSource) -> bool:
    return posixpath.splitext(info.path)[0].endswith(source.mask_suffix)


def _told_apart(both: dict[str, str]) -> str:
    """Returns the error for files that match both globs without a `mask_suffix`."""
    suffix, count = most_frequent_suffix(both, both)
    hint = f", for {count} are named as others with {suffix!r} behind: {suffix_line(suffix)}" if suffix else ""
    path = min(both.values())
    return f"{path} matches the globs of images and of masks; make them differ or set mask_suffix{hint}"


def _strip_suffix(contents: FolderContents, source: FoldersSource) -> None:
    """Removes `mask_suffix` from the masks' names; raises `UserError` if no mask has it."""
    if source.mask_suffix and not contents.masks and (contents.unsuffixed or contents.images):
        masks = contents.unsuffixed or contents.images
        raise UserError(
            f"no mask has the mask_suffix {source.mask_suffix!r}: the first of {counted(len(masks), 'file')} that "
            f"may be one is {masks[0][1].path}; {_right_suffix(contents)}"
        )
    contents.masks = [(name.removesuffix(source.mask_suffix), info) for name, info in contents.masks]


def _right_suffix(contents: FolderContents) -> str:
    images = {name for name, _ in contents.images}
    masks = [name for name, _ in contents.unsuffixed or contents.images]
    suffix, count = most_frequent_suffix(images, masks)
    equal = sum(name in images for name, _ in contents.unsuffixed)
    if equal > count:
        have = counted(equal, "mask has", "masks have")
        return f"{have} exactly the name of the image, so take mask_suffix out of data.source"
    if suffix:
        return f"{count} are named as an image with {suffix!r} behind: {suffix_line(suffix)}"
    return "write what a mask's name has beyond its image's, or take mask_suffix out of data.source"


def _globs(source: FoldersSource, texts: Iterable[str]) -> list[Glob]:
    """Returns the globs below the folder that holds all dates, one per date."""
    _, tail = split_root(source.root)
    globs = []
    for text in texts:
        path = posixpath.join(tail, text)
        if not is_dated(path):
            globs.append(Glob(path))
            continue
        dated = DatedPath(path)
        globs += [Glob(dated.at(date), dated.label(date)) for date in resolved(source.dates)]
    return globs


def pair_by_name(contents: FolderContents, source: FoldersSource) -> Listing:
    """Pairs files with equal names; those with no partner, or several, are quarantined.

    Names without an equal are paired if they differ only in Unicode form or case.

    Raises `UserError` if no image has a mask of its name.
    """
    by_name: defaultdict[str, _Named] = defaultdict(_Named)
    for name, info in contents.images:
        by_name[name].images.append(info)
    for name, info in contents.masks:
        by_name[name].masks.append(info)
    notes = [
        f"pairs whose names differ in {what} only: {count}, such as {' and '.join(example)}"
        for what, form in (("Unicode form", unicode_form), ("case", any_case))
        for count, example in [_join_alike(by_name, form)]
        if count
    ]
    _require_partners(contents, by_name, source)
    pairs: list[Pair] = []
    quarantined = [_refused(info.path, [info], []) for info in contents.problems]
    quarantined += [_unsuffixed(name, info, source) for name, info in contents.unsuffixed]
    alone: dict[str, _Named] = {}
    for name, files in sorted(by_name.items()):
        if len(files.images) > 1 or len(files.masks) > 1:
            quarantined += _ambiguous(name, files)
        elif any(info.problem for info in (*files.images, *files.masks)):
            quarantined.append(_refused(name, files.images, files.masks))
        elif not files.masks or not files.images:
            alone[name] = files
        else:
            [image], [mask] = files.images, files.masks
            pairs.append(Pair(name, image.path, mask.path, image_bytes=image.size, mask_bytes=mask.size))
    quarantined += _set_alone_aside(alone, {pair.id: pair.mask for pair in pairs}, source)
    return Listing(tuple(pairs), tuple(quarantined), contents.ignored_files, notes=tuple(notes))


def _join_alike(by_name: dict[str, _Named], form: Callable[[str], str]) -> tuple[int, list[str]]:
    """Pairs unmatched files whose names are equal after `form`; returns their number and an example."""
    alike: defaultdict[str, list[str]] = defaultdict(list)
    for name, files in by_name.items():
        if not files.images or not files.masks:
            alike[form(name)].append(name)
    joined, example = 0, list[str]()
    for group in alike.values():
        images = [info for name in group for info in by_name[name].images]
        masks = [info for name in group for info in by_name[name].masks]
        if len(group) > 1 and images and masks:
            first = next(name for name in group if by_name[name].images)
            for name in group:
                del by_name[name]
            by_name[first] = _Named(images, masks)
            if len(images) == len(masks) == 1:
                joined += 1
                example = example or [images[0].path, masks[0].path]
    return joined, example


def _require_partners(contents: FolderContents, by_name: dict[str, _Named], source: FoldersSource) -> None:
    if any(files.images and files.masks for files in by_name.values()):
        return
    advice = advise(_paths_of(contents.images), _paths_of(contents.masks), source)
    told = f"{advice.sentence}; {advice.remedy}" if advice else "set mask_suffix or the globs"
    raise UserError(
        f"none of {counted(len(contents.images), 'image')} has a mask of its name: the first image is named "
        f"{contents.images[0][0]!r}, the first mask {contents.masks[0][0]!r}; {told}"
    )


def _paths_of(found: Iterable[tuple[str, FileInfo]]) -> dict[str, str]:
    return {name: info.path for name, info in found}


def walk_below(folder: Folder, prefixes: Iterable[str]) -> Iterable[FileInfo]:
    """Yields every file below the prefixes once."""
    walked: list[str] = []
    for prefix in sorted(set(prefixes)):
        if not any(above in ("", prefix) or prefix.startswith(above + "/") for above in walked):
            walked.append(prefix)
            yield from folder.walk(prefix)


def name_of(globs: Sequence[Glob], path: str) -> str | None:
    """Returns the name that the first matching glob gives to the file at `path`; `None` if none matches."""
    return next((name for glob in globs if (name := glob.name(path)) is not None), None)


def _require(
    folder: Folder, kind: str, globs: Sequence[Glob], found: Sequence[object], problems: Sequence[FileInfo]
) -> None:
    if found:
        return
    wanted = f"no {kind} matches {names(glob.pattern for glob in globs)} below {folder.root}"
    for info in problems:
        if info.problem:
            raise UserError(_with_remedy(f"{wanted}: {info.problem.detail}", info.problem.remedy))
    there = top_level(folder)
    raise UserError(_with_remedy(f"{wanted}; what is there instead: {names(there)}", _other_case(kind, globs, there)))


def _with_remedy(sentence: str, remedy: str | None) -> str:
    return f"{sentence}; {remedy}" if remedy else sentence


def _other_case(kind: str, globs: Sequence[Glob], there: Iterable[str]) -> str | None:
    """Returns the configuration line for a folder that exists in a different case."""
    for glob in globs:
        first, slash, rest = glob.pattern.partition("/")
        for name in there:
            if slash and any_case(name) == any_case(first + slash):
                return f"write {kind}s: ['{name}{rest}'] under data.source"
    return None


def _ambiguous(name: str, files: _Named) -> list[Quarantined]:
    every = [info.path for info in (*files.images, *files.masks)]
    detail = f"{', '.join(every)} share the name {name!r}, so they cannot be paired"
    cause = "shares its name with another file, so they cannot be paired"
    return [
        *(_lone(name, Reason.AMBIGUOUS_NAME, detail, cause, image=info) for info in files.images),
        *(_lone(name, Reason.AMBIGUOUS_NAME, detail, cause, mask=info) for info in files.masks),
    ]


def _lone(
    name: str,
    reason: Reason,
    detail: str,
    cause: str,
    remedy: str | None = None,
    image: FileInfo | None = None,
    mask: FileInfo | None = None,
) -> Quarantined:
    """Returns the quarantine entry of one file."""
    paths = (info.path if info else None for info in (image, mask))
    return Quarantined(
        id=name, image=next(paths), mask=next(paths), reason=reason, detail=detail, cause=cause, remedy=remedy
    )


def _unsuffixed(name: str, info: FileInfo, source: FoldersSource) -> Quarantined:
    told = f"is among the masks, but its name does not end with the mask_suffix {source.mask_suffix!r}"
    return _lone(name, Reason.MISSING_IMAGE, f"{info.path} {told}", told, mask=info)


def _set_alone_aside(alone: dict[str, _Named], paired: dict[str, str], source: FoldersSource) -> list[Quarantined]:
    """Returns the entries of files without a partner; `paired` maps the pairs' names to their masks' paths."""
    images = {name: files.images[0].path for name, files in alone.items() if files.images}
    masks = {name: files.masks[0].path for name, files in alone.items() if files.masks}
    shared = several_masks(images, masks)
    crowd = {name: explain_several({image: of}, images, masks) for image, of in shared.items() for name in (image, *of)}
    rest = [{name: path for name, path in found.items() if name not in crowd} for found in (images, masks)]
    advice = (
        advise(rest[0], rest[1], source) if len(rest[1]) > len(paired) else None
    )  # The suggestion must not lose pairs.
    entries = []
    for name, files in alone.items():
        if name in crowd:
            entries.append(_crowded(name, files, crowd[name]))
        else:
            entries.append(_alone(name, files, images, paired, advice))
    return entries


def _crowded(name: str, files: _Named, advice: Advice) -> Quarantined:
    cause = "several masks belong to one image by their names"
    image, mask = (next(iter(infos), None) for infos in (files.images, files.masks))
    return _lone(name, Reason.AMBIGUOUS_NAME, advice.sentence, cause, advice.remedy, image, mask)


def _alone(
    name: str, files: _Named, images: Mapping[str, str], paired: Mapping[str, str], advice: Advice | None
) -> Quarantined:
    remedy = f"{advice.sentence}; {advice.remedy}" if advice else None
    if files.images:
        detail, cause = f"no mask is named {name!r}", "no mask has the name of the image"
        return _lone(name, Reason.MISSING_MASK, detail, cause, remedy, image=files.images[0])
    detail, cause = f"no image is named {name!r}", "no image has the name of the mask"
    if owner := owner_of(name, paired):
        detail += f"; the image {owner!r} has the mask {paired[owner]} already"
        cause = "belongs by its name to an image that has a mask already"
    elif owner := owner_of(name, images):
        detail += f"; {images[owner]}, which has no mask, has a similar name"
    return _lone(name, Reason.MISSING_IMAGE, detail, cause, remedy, mask=files.masks[0])


def _refused(name: str, images: Sequence[FileInfo], masks: Sequence[FileInfo]) -> Quarantined:
    problem = next(info.problem for info in (*images, *masks) if info.problem)
    image, mask = (next((info.path for info in infos), None) for infos in (images, masks))
    return RejectionError(*problem).entry(name, image, mask)
