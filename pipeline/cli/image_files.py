"""Finds the images that a command's arguments name, as files or folders, and names their outputs."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from common.errors import UserError
from common.plurals import counted
from components.batch_predictor.image_names import OUTPUT_SUFFIXES, SUFFIXES


class ImageFile(NamedTuple):
    """An image, and the name of its outputs: a path relative to their folder, without a suffix."""

    path: Path
    name: str


@dataclass(frozen=True)
class ImageFiles:
    """Images to segment, in order, and the number of other files in their folders, by kind."""

    images: list[ImageFile]
    skipped: Counter[str]

    @property
    def skipped_text(self) -> str:
        """Describes the skipped files; empty if there are none."""
        return ", ".join(f"{count} {kind}" for kind, count in sorted(self.skipped.items()))


class _FoundFile(NamedTuple):
    path: Path
    relative: Path
    root: Path | None


def find_images(paths: Sequence[Path], out: Path) -> ImageFiles:
    """Returns the images at `paths`: each file, and each file with an image's suffix in a folder and its subfolders.

    Outputs have the same relative paths in `out` as their inputs in their folders.  Files in `out`, hidden files and
    earlier outputs are not inputs.

    Raises:
        UserError: a path does not exist, a folder holds no image or cannot be read, or two outputs would have one name.
    """
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise UserError(f"image not found: {', '.join(missing)}")
    found: list[_FoundFile] = []
    skipped: Counter[str] = Counter()
    for path in paths:
        found += _in_folder(path, out, skipped) if path.is_dir() else [_FoundFile(path, Path(path.name), None)]
    by_file = {one.path.resolve(): one for one in reversed(found)}  # A file that is named twice is one image.
    once = [one for one in found if by_file[one.path.resolve()] is one]
    return ImageFiles([ImageFile(one.path, name) for one, name in zip(once, _names(once), strict=True)], skipped)


def _in_folder(folder: Path, out: Path, skipped: Counter[str]) -> list[_FoundFile]:
    found = []
    before = skipped.total()
    for parent, folders, names in os.walk(folder, onerror=_cannot_read):
        folders[:] = sorted(name for name in folders if not _is_left_out(Path(parent, name), folder, out))
        for name in sorted(names):
            path = Path(parent, name)
            if kind := _kind_of_other(path):
                skipped[kind] += 1
            else:
                found.append(_FoundFile(path, path.relative_to(folder), folder))
    if not found:
        others = skipped.total() - before
        beside = f"; it holds {counted(others, 'other file')}" if others else ""
        raise UserError(f"no image in the folder {folder}: none of its files ends in .jpg, .png, .gif or .bmp{beside}")
    return found


def _is_left_out(path: Path, folder: Path, out: Path) -> bool:
    """Whether a folder is hidden, or is the output folder inside the one that is searched."""
    return path.name.startswith(".") or (path.resolve() == out.resolve() != folder.resolve())


def _kind_of_other(path: Path) -> str:
    """Returns the kind of a file that is not an image; empty for an image."""
    if path.name.startswith("."):
        return "hidden"
    if path.name.lower().endswith(OUTPUT_SUFFIXES):
        return "earlier outputs (.mask.png, .overlay.png, .mask.tif)"
    suffix = path.suffix.lower()
    return "" if suffix in SUFFIXES else suffix or "without suffix"


def _names(found: Sequence[_FoundFile]) -> list[str]:
    """Returns a name for the outputs of each: its path without suffix, made unique if several have the same one."""
    ways: list[Callable[[_FoundFile], str]] = [
        lambda one: one.relative.with_suffix("").as_posix(),
        lambda one: one.relative.as_posix(),
        lambda one: (Path((one.root or one.path.parent).resolve().name) / one.relative).as_posix(),
    ]
    names = [ways[0](one) for one in found]
    for way in ways[1:]:
        counts = Counter(name.casefold() for name in names)
        names = [way(one) if counts[name.casefold()] > 1 else name for one, name in zip(found, names, strict=True)]
    seen: dict[str, Path] = {}
    for one, name in zip(found, names, strict=True):
        if (other := seen.setdefault(name.casefold(), one.path)) is not one.path:
            raise UserError(
                f"{other} and {one.path} would overwrite each other's outputs, {name}.mask.png; "
                "segment them one by one, each with its own --out"
            )
    return names


def _cannot_read(error: OSError) -> None:
    raise UserError(f"cannot read the folder {error.filename}: {error.strerror}") from error
