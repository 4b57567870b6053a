"""Pairs from a manifest: a CSV or JSONL file with a row a pair."""

from __future__ import annotations

import csv
import io
import json
import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from components.errors import UserError
from components.example_gen.config import ManifestSource
from components.example_gen.files import FileInfo, Folder, escape_of, names
from components.example_gen.pairing import Listing, Pair
from components.example_gen.quarantine import Quarantined, Reason
from components.example_gen.rejection import Rejected
from components.records import SPLITS

MAX_BYTES = 1_000_000_000
NO_VALUE = "unknown"
"""What a slice is called where a row leaves its column empty."""


@dataclass(frozen=True)
class Row:
    """One row: its number for messages, and its cells, or what is wrong with it."""

    number: int
    cells: dict[str, str]
    problem: str | None = None


@dataclass(frozen=True)
class Table:
    """A manifest as read, with the columns in the order in which they came."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def read_table(folder: Folder, source: ManifestSource) -> tuple[Table, bytes]:
    """The manifest of `source` and its bytes.

    Raises `UserError` where it is missing or cannot be parsed, or lacks a column that `source` names.
    """
    if escape := escape_of(source.file):
        raise UserError(f"the manifest must lie below {folder.root}, but {escape}")
    info = folder.look_up([source.file]).get(source.file)
    if info is None:
        there = {i.path.split("/")[0] + ("/" if "/" in i.path else "") for i in folder.walk("")}
        raise UserError(f"no manifest {source.file} in {folder.root}, which holds {names(there)}")
    if info.problem:
        raise UserError(f"the manifest cannot be used: {info.problem[1]}")
    try:
        data = folder.read(source.file, MAX_BYTES)
        text = data.decode("utf-8-sig")
    except Rejected as error:
        raise UserError(f"the manifest cannot be used: {error.detail}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"the manifest {source.file} is not UTF-8 (byte {error.start}); save it as UTF-8") from error
    table = _parse_jsonl(text) if source.file.lower().endswith(".jsonl") else _parse_csv(text, source.file)
    _require_columns(table, source)
    return table, data


def pair_rows(folder: Folder, source: ManifestSource, table: Table) -> tuple[Listing, list[FileInfo]]:
    """The pairs that the rows name, and the files they lie in; unusable rows are quarantined."""
    slices = _slice_columns(table.columns, source)
    paths = [path for row in table.rows for path in _paths(row, source) if path]
    files = _Files(
        folder.look_up(sorted({path for path in paths if not escape_of(path)})),
        _advice(folder, next((path for path in paths if escape_of(path)), "")),
    )
    twice = {
        name for name, count in Counter(_id(row, source) for row in table.rows if not row.problem).items() if count > 1
    }
    pairs: list[Pair] = []
    quarantined: list[Quarantined] = []
    for row in table.rows:
        try:
            pairs.append(_pair(row, source, files, slices, twice))
        except Rejected as rejected:
            image, mask = (path or None for path in _paths(row, source))
            placed = rejected.within(f"row {row.number}")
            quarantined.append(
                Quarantined(
                    id=_id(row, source),
                    image=image,
                    mask=mask,
                    reason=placed.reason,
                    detail=placed.detail,
                    cause=placed.cause,
                    remedy=placed.remedy,
                )
            )
    return Listing(tuple(pairs), tuple(quarantined)), list(files.found.values())


@dataclass(frozen=True)
class _Files:
    """The files that the rows name and that exist, and what to say of paths that leave the root."""

    found: dict[str, FileInfo]
    advice: str


def _pair(row: Row, source: ManifestSource, files: _Files, slices: Sequence[str], twice: set[str]) -> Pair:
    if row.problem:
        raise Rejected(Reason.BAD_ROW, row.problem)
    image, mask = _paths(row, source)
    image_info = _file(files, "image", image)
    mask_info = _file(files, "mask", mask)
    name = _id(row, source)
    if name in twice:
        raise Rejected(Reason.AMBIGUOUS_NAME, f"shares the name {name!r} with another row")
    return Pair(
        name,
        image,
        mask,
        split=_split(row, source),
        group=row.cells.get(source.group_column or "") or None,
        slices={column: row.cells.get(column) or NO_VALUE for column in slices},
        image_bytes=image_info.size,
        mask_bytes=mask_info.size,
    )


def _parse_csv(text: str, file: str) -> Table:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        columns = [column.strip() for column in next(reader, [])]
        rows = tuple(_csv_row(reader.line_num, columns, cells) for cells in reader if cells)
    except csv.Error as error:
        raise UserError(f"the manifest {file} is no CSV file: line {reader.line_num}: {error}") from error
    twice = [column for column, count in Counter(columns).items() if count > 1]
    if twice:
        raise UserError(f"the manifest {file} has two columns named {twice[0]!r}")
    return Table(tuple(columns), rows)


def _csv_row(number: int, columns: Sequence[str], cells: Sequence[str]) -> Row:
    problem = None
    if len(cells) != len(columns):
        problem = f"has {len(cells)} cells, but the header {len(columns)}"
    return Row(number, {column: cell.strip() for column, cell in zip(columns, cells, strict=False)}, problem)


def _parse_jsonl(text: str) -> Table:
    rows = tuple(_json_row(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip())
    return Table(tuple(dict.fromkeys(column for row in rows for column in row.cells)), rows)


def _json_row(number: int, line: str) -> Row:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        return Row(number, {}, f"is no JSON: {error}")
    if not isinstance(value, dict):
        return Row(number, {}, f"is {type(value).__name__}, not an object")
    nested = [key for key, cell in value.items() if isinstance(cell, (dict, list))]
    cells = {key: _json_cell(cell) for key, cell in value.items() if key not in nested}
    return Row(number, cells, f"has a nested value in {nested[0]!r}" if nested else None)


def _json_cell(cell: object) -> str:
    if cell is None:
        return ""
    text = cell.strip() if isinstance(cell, str) else json.dumps(cell)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")  # JSON may hold half a surrogate pair.


def _require_columns(table: Table, source: ManifestSource) -> None:
    if not table.rows:
        raise UserError(f"the manifest {source.file} has no row")
    named = (source.image_column, source.mask_column, source.id_column, source.split_column, source.group_column)
    for column in (*named, *(source.slice_columns or ())):
        if column is not None and column not in table.columns:
            raise UserError(f"the manifest {source.file} has no column {column!r}; it has {', '.join(table.columns)}")


def _slice_columns(columns: Iterable[str], source: ManifestSource) -> tuple[str, ...]:
    if source.slice_columns is not None:
        return source.slice_columns
    used = (source.image_column, source.mask_column, source.id_column, source.split_column, source.group_column)
    return tuple(column for column in columns if column and column not in used)


def _paths(row: Row, source: ManifestSource) -> Iterator[str]:
    """The paths of the image and of the mask, `./` and doubled slashes taken out; empty where there is none."""
    for column in (source.image_column, source.mask_column):
        path = row.cells.get(column, "")
        yield path if not path or escape_of(path) else posixpath.normpath(path)


def _id(row: Row, source: ManifestSource) -> str:
    if source.id_column is not None:
        name = row.cells.get(source.id_column, "")
    else:
        name = posixpath.splitext(next(_paths(row, source)))[0]
    return name or f"row {row.number}"


def _split(row: Row, source: ManifestSource) -> str | None:
    split = row.cells.get(source.split_column or "", "")
    if split and split not in SPLITS:
        raise Rejected(Reason.BAD_ROW, f"has the split {split!r}, which is none of {', '.join(SPLITS)}")
    return split or None


def _file(files: _Files, kind: str, path: str) -> FileInfo:
    missing = Reason.MISSING_IMAGE if kind == "image" else Reason.MISSING_MASK
    if not path:
        raise Rejected(missing, f"names no {kind}")
    if escape := escape_of(path):
        raise Rejected(
            Reason.OUTSIDE_ROOT,
            f"is refused: {escape}, but paths must be relative to the root and stay in it{files.advice}",
        )
    if path not in files.found:
        hint = "; write / instead of \\" if "\\" in path else ""
        raise Rejected(missing, f"names the {kind} {path}, which does not exist below the root{hint}")
    info = files.found[path]
    if info.problem:
        reason, detail = info.problem
        raise Rejected(reason, f"names a file that cannot be used: {detail}")
    return info


def _advice(folder: Folder, path: str) -> str:
    """How a list that was made on another machine can be put right, judged by the first `path` that leaves the root."""
    parts = re.split(r"[/\\]+", path)
    ends = ["/".join(parts[i:]) for i in range(1, len(parts)) if ".." not in parts[i:]]
    here = folder.look_up(ends)
    for end in ends:
        if end in here:
            return f"; {end} exists below the root, so take {path[: -len(end)]!r} off the paths"
    return ""
