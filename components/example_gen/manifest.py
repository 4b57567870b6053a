"""Reads pairs from a manifest: a CSV, JSONL or JSON file with one row per pair."""

from __future__ import annotations

import json
import posixpath
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from common.errors import UserError
from common.records import SPLITS
from components.example_gen.annotations.row_annotations import open_row_annotations
from components.example_gen.columns import Columns, choose_columns, describe_columns, split_of
from components.example_gen.config import ManifestSource
from components.example_gen.files import FileInfo, Folder, escape_of, names, read_file, top_level
from components.example_gen.named_files import NamedFiles
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
    return Listing(tuple(pairs), tuple(quarantined), notes=notes), [*rows.files.found.values(), *rows.more_files]


def _read_manifest(folder: Folder, source: ManifestSource) -> bytes:
    path = str(Path(source.file).expanduser()) if source.file.startswith("~") else source.file
    if escape := escape_of(path):
        below = folder.relative(path)
        if below is None:
            return _read_outside(folder, source, path, escape)
        path = below
    info = folder.look_up([path]).get(path)
    if info is None:
        raise UserError(f"no manifest {source.file} in {folder.root}, which holds {names(top_level(folder))}")
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
        self.files = NamedFiles(folder, (path for row in table.rows for path in self._written(row)))
        counts = Counter(self._id(row) for row in table.rows if not row.problem)
        self._twice = {name for name, count in counts.items() if count > 1}
        self._annotations = open_row_annotations(folder, source)
        self.more_files: Sequence[FileInfo] = self._annotations.files if self._annotations else []

    def pair(self, row: Row) -> Pair:
        """Returns the pair that a row names; raises `RejectionError` if it cannot be used."""
        if row.problem:
            raise RejectionError(Reason.BAD_ROW, row.problem, row.cause, row.remedy)
        image, mask = self._paths(row)
        image_info = self.files.look_up("image", image)
        mask_info = self.files.look_up("mask", mask)
        mask_bytes = mask_info.size
        name = self._id(row)
        if name in self._twice:
            detail = f"shares the name {name!r} with another row"
            raise RejectionError(Reason.AMBIGUOUS_NAME, detail, "shares its name with another row")
        if self._annotations:
            mask, mask_bytes = self._annotations.place(mask_info, image)
        return Pair(
            name,
            image,
            mask,
            split=self._split(row),
            group=row.cells.get(self.columns.group or "") or None,
            slices={name: row.cells.get(column) or NO_VALUE for name, column in self.columns.slices.items()},
            image_bytes=image_info.size,
            mask_bytes=mask_bytes,
        )

    def quarantine(self, row: Row, rejected: RejectionError) -> Quarantined:
        """Returns the quarantine entry of a row."""
        image, mask = (path or None for path in self._paths(row))
        return rejected.entry(self._id(row), image, mask)

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
