"""Pairs of image and mask, and how files in folders find their partner: by name."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from components.errors import UserError
from components.example_gen.config import FoldersSource
from components.example_gen.dates import DatedPath, is_dated, resolved, split_root
from components.example_gen.files import FileInfo, Folder, names
from components.example_gen.globs import Glob
from components.example_gen.quarantine import Quarantined, Reason
from components.records import SPLITS

# What may be a picture by its suffix; those that no decoder here reads are quarantined by name, not passed over.
_READ = {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".dib", ".gif", ".tif", ".tiff", ".webp"}
_UNREAD = {".heic", ".heif", ".avif", ".jp2", ".jxl", ".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".psd", ".svg", ".eps"}
_UNREAD |= {".exr", ".hdr", ".dcm", ".nii", ".npy", ".npz", ".mat", ".ico", ".raw", ".dng", ".cr2", ".nef"}
PICTURE_SUFFIXES = frozenset(_READ | _UNREAD)


@dataclass(frozen=True)
class Pair:
    """An image and its mask, not yet read."""

    id: str
    image: str
    """Path relative to the root, or the place in a TensorFlow data set."""
    mask: str
    split: str | None = None
    """The split that was given, or None where a hash decides among `among`."""
    among: tuple[str, ...] = SPLITS
    group: str | None = None
    """Pairs of one group never straddle two splits."""
    slices: dict[str, str] = field(default_factory=dict)
    image_bytes: int = 0
    mask_bytes: int = 0

    def set_aside(
        self, reason: Reason, detail: str, cause: str | None = None, remedy: str | None = None
    ) -> Quarantined:
        """The entry of this pair in the quarantine."""
        return Quarantined(
            id=self.id, image=self.image, mask=self.mask, reason=reason, detail=detail, cause=cause, remedy=remedy
        )


@dataclass(frozen=True)
class Listing:
    """All that a source holds, before any picture is opened."""

    pairs: tuple[Pair, ...]
    quarantined: tuple[Quarantined, ...] = ()
    strays: int = 0
    fingerprint: str = ""


@dataclass
class _Named:
    """The files of one name."""

    images: list[FileInfo] = field(default_factory=list)
    masks: list[FileInfo] = field(default_factory=list)


@dataclass
class FolderContents:
    """What the globs of a folder source find."""

    images: list[tuple[str, FileInfo]] = field(default_factory=list)
    masks: list[tuple[str, FileInfo]] = field(default_factory=list)
    problems: list[FileInfo] = field(default_factory=list)
    """Folders that must not or cannot be entered."""
    strays: int = 0

    @property
    def files(self) -> list[FileInfo]:
        """Every file concerned, strays excepted."""
        return [info for _, info in (*self.images, *self.masks)] + self.problems


def is_stray(path: str) -> bool:
    """Whether a file is neither image nor mask by its name (`.DS_Store`, `Thumbs.db`, `__MACOSX/…`, notes)."""
    parts = path.split("/")
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
    return hidden or posixpath.splitext(path)[1].lower() not in PICTURE_SUFFIXES


def find_files(folder: Folder, source: FoldersSource) -> FolderContents:
    """The images and masks that the globs of `source` match, each with its name; `folder` holds all dates.

    Where there are dates, each name begins with its date, so that pictures of two days are not taken for one.

    Raises `UserError` where the globs match no image or no mask, or where one file matches both kinds and
    `mask_suffix` does not tell which it is.
    """
    image_globs, mask_globs = _globs(source, source.images), _globs(source, source.masks)
    contents = FolderContents()
    for info in _walk(folder, [glob.prefix for glob in (*image_globs, *mask_globs)]):
        image, mask = _name(image_globs, info.path), _name(mask_globs, info.path)
        if image is not None and mask is not None:
            image, mask = _tell_apart(info.path, image, mask, source.mask_suffix)
        if info.problem and is_stray(info.path):
            contents.problems.append(info)
        elif image is None and mask is None:
            continue
        elif is_stray(info.path):
            contents.strays += 1
        elif mask is not None:
            contents.masks.append((mask.removesuffix(source.mask_suffix), info))
        elif image is not None:
            contents.images.append((image, info))
    _require(folder, "image", image_globs, contents.images, contents.problems)
    _require(folder, "mask", mask_globs, contents.masks, contents.problems)
    return contents


def _globs(source: FoldersSource, texts: Iterable[str]) -> list[Glob]:
    """The globs below the folder that holds all dates: one for each date."""
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


def pair_by_name(contents: FolderContents) -> Listing:
    """Pairs the files of equal names; what has no partner, or more than one, is quarantined.

    Raises `UserError` where no image has a mask of its name.
    """
    by_name: defaultdict[str, _Named] = defaultdict(_Named)
    for name, info in contents.images:
        by_name[name].images.append(info)
    for name, info in contents.masks:
        by_name[name].masks.append(info)
    pairs: list[Pair] = []
    quarantined = [_refused(info.path, [info], []) for info in contents.problems]
    for name, files in sorted(by_name.items()):
        if len(files.images) > 1 or len(files.masks) > 1:
            quarantined += _ambiguous(name, files)
        elif any(info.problem for info in (*files.images, *files.masks)):
            quarantined.append(_refused(name, files.images, files.masks))
        elif not files.masks or not files.images:
            quarantined.append(_alone(name, files))
        else:
            [image], [mask] = files.images, files.masks
            pairs.append(Pair(name, image.path, mask.path, image_bytes=image.size, mask_bytes=mask.size))
    if not any(files.images and files.masks for files in by_name.values()):
        raise UserError(
            f"none of the {len(contents.images)} images has a mask of its name: the first image is named "
            f"{contents.images[0][0]!r}, the first mask {contents.masks[0][0]!r}; set mask_suffix or the globs"
        )
    return Listing(tuple(pairs), tuple(quarantined), contents.strays)


def _walk(folder: Folder, prefixes: Iterable[str]) -> Iterable[FileInfo]:
    """Every file below the prefixes, once."""
    walked: list[str] = []
    for prefix in sorted(set(prefixes)):
        if not any(above in ("", prefix) or prefix.startswith(above + "/") for above in walked):
            walked.append(prefix)
            yield from folder.walk(prefix)


def _name(globs: Sequence[Glob], path: str) -> str | None:
    return next((name for glob in globs if (name := glob.name(path)) is not None), None)


def _tell_apart(path: str, image: str, mask: str, suffix: str) -> tuple[str | None, str | None]:
    if not suffix:
        raise UserError(f"{path} matches the globs of images and of masks; make them differ or set mask_suffix")
    return (None, mask) if posixpath.splitext(path)[0].endswith(suffix) else (image, None)


def _require(
    folder: Folder, kind: str, globs: Sequence[Glob], found: Sequence[object], problems: Sequence[FileInfo]
) -> None:
    if found:
        return
    wanted = f"no {kind} matches {names(glob.pattern for glob in globs)} below {folder.root}"
    for info in problems:
        if info.problem:
            raise UserError(f"{wanted}: {info.problem[1]}")
    there = {info.path.split("/")[0] + ("/" if "/" in info.path else "") for info in folder.walk("")}
    raise UserError(f"{wanted}; what is there instead: {names(there)}")


def _ambiguous(name: str, files: _Named) -> list[Quarantined]:
    every = [info.path for info in (*files.images, *files.masks)]
    detail = f"{', '.join(every)} share the name {name!r}; which belong together is not known"
    images = [Quarantined(id=name, image=i.path, reason=Reason.AMBIGUOUS_NAME, detail=detail) for i in files.images]
    masks = [Quarantined(id=name, mask=m.path, reason=Reason.AMBIGUOUS_NAME, detail=detail) for m in files.masks]
    return images + masks


def _alone(name: str, files: _Named) -> Quarantined:
    if files.images:
        path = files.images[0].path
        return Quarantined(id=name, image=path, reason=Reason.MISSING_MASK, detail=f"no mask is named {name!r}")
    path = files.masks[0].path
    return Quarantined(id=name, mask=path, reason=Reason.MISSING_IMAGE, detail=f"no image is named {name!r}")


def _refused(name: str, images: Sequence[FileInfo], masks: Sequence[FileInfo]) -> Quarantined:
    reason, detail = next(info.problem for info in (*images, *masks) if info.problem)
    image, mask = (next((info.path for info in infos), None) for infos in (images, masks))
    return Quarantined(id=name, image=image, mask=mask, reason=reason, detail=detail)
