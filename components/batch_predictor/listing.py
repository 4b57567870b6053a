"""Lists the images of a source one after the other, so that no process holds all of them."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from common.errors import UserError
from components.batch_predictor.config import AnySource, ImagesSource, ManifestSource, RecordsSource
from components.batch_predictor.entries import Item
from components.batch_predictor.image_names import is_hidden, is_image
from components.batch_predictor.manifest_rows import read_paths
from components.example_gen.files import FileInfo, Folder, LocalFolder, escape_of, open_folder
from components.example_gen.globs import Glob


def list_items(source: AnySource, out: str) -> Iterator[Item]:
    """Yields the images of a source: files, or the record files of a `RecordsSource`.

    Args:
        source: The source.
        out: The output folder, which is not searched for images.

    Raises:
        UserError: the source cannot be read.
    """
    folder = open_folder(source.root, source.follow_links)
    if isinstance(source, ManifestSource):
        yield from _in_manifest(source, folder)
        return
    inside = folder.relative(out)
    for info in _matching(folder, source.images if isinstance(source, ImagesSource) else source.files):
        is_output = inside is not None and info.path.startswith(f"{inside}/")
        may_be_image = not is_hidden(info.path) and (info.problem or is_image(info.path))
        if not is_output and (isinstance(source, RecordsSource) or may_be_image):
            yield _item(info)


def count_items(source: AnySource, out: str) -> int:
    """Returns how many images, or record files, a source lists.

    Raises:
        UserError: there are none, or the source cannot be read.
    """
    number = sum(1 for _ in list_items(source, out))
    if number:
        return number
    if isinstance(source, ManifestSource):
        raise UserError(f"the manifest {source.file} in {source.root} has no row")
    if isinstance(source, RecordsSource):
        raise UserError(f"no record file in {source.root} matches {', '.join(source.files)}")
    globs = "" if source.images == ("**",) else f" that matches {', '.join(source.images)}"
    raise UserError(f"no image in the folder {source.root}{globs}: none of its files ends in .jpg, .png, .gif or .bmp")


def _matching(folder: Folder, patterns: tuple[str, ...]) -> Iterator[FileInfo]:
    """Yields the files that a pattern matches, each once, in the order of their paths within a pattern's folder."""
    globs = [Glob(pattern) for pattern in patterns]
    prefixes = {glob.prefix for glob in globs}
    for prefix in sorted(one for one in prefixes if not any(_is_inside(one, other) for other in prefixes)):
        for info in folder.walk(prefix):
            if info.problem or any(glob.name(info.path) is not None for glob in globs):
                yield info


def _is_inside(folder: str, other: str) -> bool:
    return folder != other and (not other or folder.startswith(f"{other}/"))


def _item(info: FileInfo) -> Item:
    return Item(info.path, f"{info.size}:{info.changed}", info.problem.detail if info.problem else "")


def _in_manifest(source: ManifestSource, folder: Folder) -> Iterator[Item]:
    is_local = isinstance(folder, LocalFolder)
    for row in read_paths(posixpath.join(folder.root, source.file), source.column):
        path = folder.relative(row.path) or row.path
        problem = f"line {row.line} names no image" if not row.path else escape_of(path)
        if problem:
            yield Item(_shown(path, row.line), problem=_outside(problem, source) if row.path else problem)
            continue
        path = posixpath.normpath(path)
        info = folder.look_up([path]).get(path) if is_local else None  # A bucket would be listed for each row.
        yield _item(info) if info else Item(path)


def _shown(path: str, line: int) -> str:
    """Returns a name for a row whose path cannot be one."""
    return f"line {line}: {path}"


def _outside(problem: str, source: ManifestSource) -> str:
    return f"{problem}, which is not below the root {source.root}; name a root that holds all images"
