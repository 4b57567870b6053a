"""Files that a manifest or an annotation file names, found below the root."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable

from components.example_gen.files import FileInfo, Folder, escape_of, names
from components.example_gen.lookalikes import LookAlikes
from components.example_gen.quarantine import Reason
from components.example_gen.rejection import RejectionError


class NamedFiles:
    """Resolves the paths that a file names to files below the root."""

    def __init__(self, folder: Folder, written: Iterable[str]) -> None:
        self._folder = folder
        self._alike = LookAlikes(folder)
        self._paths = {path: _cleaned(folder, path) for path in written if path}
        inside = sorted({path for path in self._paths.values() if not escape_of(path)})
        self.found = folder.look_up(inside)
        self._other_forms = self._match_unicode_forms(path for path in inside if path not in self.found)
        self._surplus = self._find_surplus()

    @property
    def notes(self) -> list[str]:
        """Assumptions that were made to find the files."""
        if not self._other_forms:
            return []
        first, real = next(iter(self._other_forms.items()))
        count = len(self._other_forms)
        return [f"paths that differ from a file's in Unicode form only: {count}, such as {first!a} for {real!a}"]

    def path(self, written: str) -> str:
        """Returns the path of a cell relative to the root; as written if it leaves the root."""
        path = self._paths.get(written, "")
        return self._other_forms.get(path, path)

    def look_up(self, kind: str, path: str) -> FileInfo:
        """Returns the file at `path`; raises `RejectionError` if there is none that may be used."""
        if not path:
            raise RejectionError(missing_reason(kind), f"names no {kind}", f"names no {kind}")
        if escape := escape_of(path):
            raise self._outside(path, escape)
        if path not in self.found:
            raise self._not_found(kind, path)
        problem = self.found[path].problem
        if problem:
            cause = problem.cause and f"names a file that {problem.cause}"
            raise RejectionError(
                problem.reason, f"names a file that cannot be used: {problem.detail}", cause, problem.remedy
            )
        return self.found[path]

    def _match_unicode_forms(self, missing: Iterable[str]) -> dict[str, str]:
        """Paths that differ from exactly one file only in Unicode form → that file."""
        alike = {path: self._alike.of_unicode_form(path) for path in missing}
        only = {path: found[0] for path, found in alike.items() if len(found) == 1}
        self.found |= self._folder.look_up(sorted(set(only.values())))
        return only

    def _find_surplus(self) -> tuple[str, str]:
        """Returns the surplus prefix of the first path that is not found, and its rest, which exists."""
        lost = next((path for path in self._paths.values() if self.path(path) not in self.found), "")
        parts = re.split(r"[/\\]+", lost)
        ends = ["/".join(parts[i:]) for i in range(1, len(parts)) if ".." not in parts[i:] and "\0" not in lost]
        here = self._folder.look_up(ends)
        end = next((end for end in ends if end in here), "")
        return (lost[: -len(end)], end) if end else ("", "")

    def _advice(self, path: str) -> str:
        surplus, end = self._surplus
        if not surplus or not path.startswith(surplus):
            return ""
        return f"; {end} exists below the root, so take {surplus!r} off the paths"

    def _outside(self, path: str, escape: str) -> RejectionError:
        detail = f"is refused: {escape}, but paths must lie below the root {self._folder.root}{self._advice(path)}"
        kind = escape.removeprefix(repr(path)).removeprefix(" is ").strip()
        return RejectionError(Reason.OUTSIDE_ROOT, detail, f"names a path that leaves the root ({kind})")

    def _not_found(self, kind: str, path: str) -> RejectionError:
        detail = f"names the {kind} {path}, which does not exist below the root"
        cause = f"names {'an' if kind == 'image' else 'a'} {kind}"
        if advice := self._advice(path):
            return RejectionError(
                missing_reason(kind), detail + advice, f"{cause} with {self._surplus[0]!r} as a surplus prefix"
            )
        if "\\" in path:
            return RejectionError(
                missing_reason(kind), f"{detail}; write / instead of \\", f"{cause} with \\ between folders"
            )
        if alike := self._alike.of_any_case(path):
            told = f"{detail}; there is {names(alike)}, which differs in {_difference(path, alike)} only"
            return RejectionError(
                missing_reason(kind),
                told,
                f"{cause} in a different case from the file's",
                "write the paths as the files are named",
            )
        if alike := self._alike.of_stem(path):
            told = f"{detail}; there is {names(alike)}"
            return RejectionError(
                missing_reason(kind),
                told,
                f"{cause} with a different suffix from the file's",
                "write the files' suffixes as they are",
            )
        return RejectionError(missing_reason(kind), detail, f"{cause} that does not exist below the root")


def _cleaned(folder: Folder, path: str) -> str:
    """Normalises a path relative to the root: removes `./`, doubled slashes and the root itself."""
    if escape_of(path):
        return folder.relative(path) or path
    return posixpath.normpath(path)


def _difference(path: str, alike: list[str]) -> str:
    return "case" if any(other.casefold() == path.casefold() for other in alike) else "case and Unicode form"


def missing_reason(kind: str) -> Reason:
    """Returns the reason for a file of a kind that does not exist."""
    return Reason.MISSING_IMAGE if kind == "image" else Reason.MISSING_MASK
