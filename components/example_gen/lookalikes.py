"""Finds files whose names nearly match a manifest: different case, different Unicode form, missing suffix."""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections import defaultdict

from components.example_gen.files import Folder

_ANY = re.compile(".*", re.DOTALL)


def unicode_form(name: str) -> str:
    """Normalises a name to one Unicode form (NFC): macOS writes `ü` as two characters, other systems as one."""
    return unicodedata.normalize("NFC", name)


def any_case(name: str) -> str:
    """Normalises a name to one case and one Unicode form."""
    return unicode_form(unicode_form(name).casefold())


class LookAlikes:
    """Index of the names below a root, searched by paths that do not exist as written."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._levels: dict[str, dict[str, list[str]]] = {}

    def of_unicode_form(self, path: str) -> list[str]:
        """Returns the paths that differ from `path` only in Unicode form."""
        return [found for found in self.of_any_case(path) if unicode_form(found) == unicode_form(path)]

    def of_any_case(self, path: str) -> list[str]:
        """Returns the paths that differ from `path` only in case and Unicode form."""
        folder, name = posixpath.split(path)
        if level := self._names(folder):  # Usually only the file name differs.
            return [posixpath.join(folder, other) for other in level.get(any_case(name), ())]
        return self._search(path.split("/"), "")

    def of_stem(self, path: str) -> list[str]:
        """The files of the same folder whose name without suffix is that of `path`, with or without its suffix."""
        folder, name = posixpath.split(path)
        stems = {name, posixpath.splitext(name)[0]}
        names = (name for names in self._names(folder).values() for name in names)
        return sorted(posixpath.join(folder, other) for other in names if posixpath.splitext(other)[0] in stems)

    def _search(self, parts: list[str], folder: str) -> list[str]:
        found = [posixpath.join(folder, name) for name in self._names(folder).get(any_case(parts[0]), ())]
        return found if len(parts) == 1 else [below for path in found for below in self._search(parts[1:], path)]

    def _names(self, folder: str) -> dict[str, list[str]]:
        """Returns the names in `folder` by their normalised form."""
        if folder not in self._levels:
            level: defaultdict[str, list[str]] = defaultdict(list)
            for path in self._folder.list_levels(folder, [_ANY]):
                name = posixpath.basename(path)
                level[any_case(name)].append(name)
            self._levels[folder] = level
        return self._levels[folder]
