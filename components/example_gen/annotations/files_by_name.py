"""The files below a root that globs match, by name."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from common.errors import UserError
from components.example_gen.files import FileInfo, Folder, names, top_level
from components.example_gen.globs import Glob
from components.example_gen.pairing import is_stray, name_of, walk_below
from components.example_gen.quarantine import Quarantined
from components.example_gen.rejection import RejectionError


@dataclass
class NamedFileLists:
    """Name → files, for each kind of file."""

    kinds: dict[str, defaultdict[str, list[FileInfo]]]
    problems: list[FileInfo] = field(default_factory=list)
    """Folders that must not or cannot be read."""
    ignored_files: int = 0

    @property
    def files(self) -> list[FileInfo]:
        """Every file."""
        return [info for found in self.kinds.values() for infos in found.values() for info in infos] + self.problems


def list_by_name(folder: Folder, wanted: Mapping[str, Iterable[str]], suffixes: Collection[str] = ()) -> NamedFileLists:
    """Returns the files that match the globs of each kind in `wanted`; a file is of the first kind that it matches.

    Image files are found, and those with one of `suffixes`.  Raises `UserError` if nothing is of a kind.
    """
    globs = {kind: [Glob(pattern) for pattern in patterns] for kind, patterns in wanted.items()}
    found = NamedFileLists({kind: defaultdict(list) for kind in globs})
    for info in walk_below(folder, [glob.prefix for of_kind in globs.values() for glob in of_kind]):
        named = {kind: name for kind, of_kind in globs.items() if (name := name_of(of_kind, info.path)) is not None}
        kind = next((kind for kind in named if _fits(info.path, suffixes, kind)), None)
        if kind is not None:
            name = named[kind].removesuffix(posixpath.splitext(info.path)[1])  # Some globs keep it.
            found.kinds[kind][name].append(info)
        elif info.problem:
            found.problems.append(info)
        elif named:
            found.ignored_files += 1
    for kind, lists in found.kinds.items():
        if not lists:
            there = names(top_level(folder))
            raise UserError(
                f"no {kind} matches {names(wanted[kind])} below {folder.root}, which holds {there}; set the "
                "globs under data.source"
            )
    return found


def refused_file(info: FileInfo) -> Quarantined:
    """Returns the quarantine entry of a file that must not be read."""
    assert info.problem is not None
    return RejectionError(*info.problem).entry(info.path, info.path, None)


def _fits(path: str, suffixes: Collection[str], kind: str) -> bool:
    is_annotation = posixpath.splitext(path)[1].lower() in suffixes
    return is_annotation if kind == "annotation file" else not is_stray(path)
