"""Reads pairs from a manifest: a CSV, JSONL or JSON file with one row per pair."""

from __future__ import annotations

import json
import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from common.errors import UserError
from common.records import SPLITS
from components.example_gen.columns import Columns, choose_columns, describe_columns, split_of
from components.example_gen.config import ManifestSource
from components.example_gen.files import FileInfo, Folder, escape_of, names, read_file
from components.example_gen.lookalikes import LookAlikes
from components.example_gen.pairing import Listing, Pair
from components.example_gen.quarantine import Quarantined, Reason
from components.example_gen.rejection import RejectionError
from components.example_gen.tables import Row, Table, parse_table

MAX_BYTES = 1_000_000_000
NO_VALUE = "unknown"
"""Slice value of a row with an empty cell."""


def read_table(folder: Folder, source: ManifestSource) -> tuple[Table, bytes]:
    """The manifest of `source` and its bytes.

    Raises `UserError` if it is missing, lies outside the root without `follow_links`, or cannot be parsed.
    """
    try:
        data = _read_manifest(folder, source)
    except RejectionError as error:
        remedy = f"; {error.remedy}" if error.remedy else ""
        raise UserError(f"the manifest cannot be used: {error.detail}{remedy}") from error
    return parse_table(data, source.file, source.delimiter, (source.image_column, source.mask_column)), data


def pair_rows(folder: Folder, source: ManifestSource, table: Table) -> tuple[Listing, list[FileInfo]]:
    """Returns the pairs that the rows name and their files; unusable rows are quarantined.

    Raises `UserError` if the table lacks a column that `source` names, or has no row.
    """
    rows = _Rows(folder, source, table)
    pairs: list[Pair] = []
    quarantined: list[Quarantined] = []
    for row in table.rows:
        try:
            pairs.append(rows.pair(row))
        except RejectionError as rejected:
            quarantined.append(rows.quarantine(row, rejected.within(f"row {row.number}")))
    notes = (*describe_columns(table, source, rows.columns), *rows.files.notes)
    return Listing(tuple(pairs), tuple(quarantined), notes=notes), list(rows.files.found.values())


def _read_manifest(folder: Folder, source: ManifestSource) -> bytes:
    path = str(Path(source.file).expanduser()) if source.file.startswith("~") else source.file
    if escape := escape_of(path):
        below = folder.relative(path)
        if below is None:
            return _read_outside(folder, source, path, escape)
        path = below
    info = folder.look_up([path]).get(path)
    if info is None:
        there = {i.path.split("/")[0] + ("/" if "/" in i.path else "") for i in folder.walk("")}
        raise UserError(f"no manifest {source.file} in {folder.root}, which holds {names(there)}")
    if info.problem:
        raise RejectionError(*info.problem)
    return folder.read(path, MAX_BYTES)


def _read_outside(folder: Folder, source: ManifestSource, path: str, escape: str) -> bytes:
    refused = f"the manifest must lie below {folder.root}, but {escape}"
    address = posixpath.normpath(posixpath.join(folder.root, path))
    if "://" in folder.root or "://" in path or "\\" in path or "\0" in path:
        raise UserError(f"{refused}; copy it there")
    if not source.follow_links:
        raise UserError(f"{refused}; write follow_links: true under data.source to read it where it lies")
    if not Path(address).is_file():
        raise UserError(f"there is no manifest {address}; check data.source.file, which is relative to {folder.root}")
    return read_file(address, address, MAX_BYTES)


class _Rows:
    """Converts the rows of a table to pairs."""

    def __init__(self, folder: Folder, source: ManifestSource, table: Table) -> None:
        self._source = source
        self.columns: Columns = choose_columns(table, source)
        self.files = _Files(folder, (path for row in table.rows for path in self._written(row)))
        counts = Counter(self._id(row) for row in table.rows if not row.problem)
        self._twice = {name for name, count in counts.items() if count > 1}

    def pair(self, row: Row) -> Pair:
        """Returns the pair that a row names; raises `RejectionError` if it cannot be used."""
        if row.problem:
            raise RejectionError(Reason.BAD_ROW, row.problem, row.cause, row.remedy)
        image, mask = self._paths(row)
        image_info = self.files.look_up("image", image)
        mask_info = self.files.look_up("mask", mask)
        name = self._id(row)
        if name in self._twice:
            detail = f"shares the name {name!r} with another row"
            raise RejectionError(Reason.AMBIGUOUS_NAME, detail, "shares its name with another row")
        return Pair(
            name,
            image,
            mask,
            split=self._split(row),
            group=row.cells.get(self.columns.group or "") or None,
            slices={name: row.cells.get(column) or NO_VALUE for name, column in self.columns.slices.items()},
            image_bytes=image_info.size,
            mask_bytes=mask_info.size,
        )

    def quarantine(self, row: Row, rejected: RejectionError) -> Quarantined:
        """Returns the quarantine entry of a row."""
        image, mask = (path or None for path in self._paths(row))
        return Quarantined(
            id=self._id(row),
            image=image,
            mask=mask,
            reason=rejected.reason,
            detail=rejected.detail,
            cause=rejected.cause,
            remedy=rejected.remedy,
        )

    def _written(self, row: Row) -> tuple[str, str]:
        return row.cells.get(self.columns.image, ""), row.cells.get(self.columns.mask, "")

    def _paths(self, row: Row) -> Iterator[str]:
        return (self.files.path(written) for written in self._written(row))

    def _id(self, row: Row) -> str:
        if self.columns.id is not None:
            name = row.cells.get(self.columns.id, "")
        else:
            name = posixpath.splitext(next(self._paths(row)))[0]
        return name or f"row {row.number}"

    def _split(self, row: Row) -> str | None:
        value = row.cells.get(self.columns.split or "", "")
        split = split_of(value, self._source)
        if not value or split:
            return split
        detail = f"has the split {value!r}, but the splits are {', '.join(SPLITS)}"
        remedy = f"write split_names: {{{json.dumps(value, ensure_ascii=False)}: test}} (or train, or eval)"
        if self._source.split_column is None:
            remedy += f", or slice_columns: [{self.columns.split}] if that column is not the split,"
        raise RejectionError(Reason.BAD_ROW, detail, detail, f"{remedy} under data.source")


class _Files:
    """Resolves the paths in the rows to files below the root."""

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
            raise RejectionError(_missing(kind), f"names no {kind}", f"names no {kind}")
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
                _missing(kind), detail + advice, f"{cause} with {self._surplus[0]!r} as a surplus prefix"
            )
        if "\\" in path:
            return RejectionError(
                _missing(kind), f"{detail}; write / instead of \\", f"{cause} with \\ between folders"
            )
        if alike := self._alike.of_any_case(path):
            told = f"{detail}; there is {names(alike)}, which differs in {_difference(path, alike)} only"
            return RejectionError(
                _missing(kind),
                told,
                f"{cause} in a different case from the file's",
                "write the paths as the files are named",
            )
        if alike := self._alike.of_stem(path):
            told = f"{detail}; there is {names(alike)}"
            return RejectionError(
                _missing(kind),
                told,
                f"{cause} with a different suffix from the file's",
                "write the files' suffixes as they are",
            )
        return RejectionError(_missing(kind), detail, f"{cause} that does not exist below the root")


def _cleaned(folder: Folder, path: str) -> str:
    """Normalises a path relative to the root: removes `./`, doubled slashes and the root itself."""
    if escape_of(path):
        return folder.relative(path) or path
    return posixpath.normpath(path)


def _difference(path: str, alike: list[str]) -> str:
    return "case" if any(other.casefold() == path.casefold() for other in alike) else "case and Unicode form"


def _missing(kind: str) -> Reason:
    return Reason.MISSING_IMAGE if kind == "image" else Reason.MISSING_MASK
