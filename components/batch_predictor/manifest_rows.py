"""Reads the paths in a table row by row, so that memory does not grow with its length."""

from __future__ import annotations

import csv
import io
import json
import posixpath
from collections.abc import Iterator
from typing import IO, NamedTuple

from apache_beam.io.filesystem import BeamIOError, CompressionTypes
from apache_beam.io.filesystems import FileSystems

from common.errors import UserError

_DELIMITERS = (",", ";", "\t", "|")
_JSON_LINES = (".jsonl", ".ndjson")


class NamedPath(NamedTuple):
    """A cell of the image column, and the number of its line."""

    line: int
    path: str


def read_paths(address: str, column: str) -> Iterator[NamedPath]:
    """Yields the cells of a column; a row without one has an empty path.

    Raises:
        UserError: the table cannot be read, or has no such column.
    """
    try:
        with (
            FileSystems.open(address, compression_type=CompressionTypes.UNCOMPRESSED) as raw,
            io.TextIOWrapper(raw, encoding="utf-8-sig", newline="") as text,
        ):
            is_json = posixpath.splitext(address)[1].lower() in _JSON_LINES
            yield from _in_json_lines(text, address, column) if is_json else _in_csv(text, address, column)
    except (OSError, BeamIOError) as error:
        raise UserError(f"the manifest {address} cannot be read: {error}; check its path") from error
    except UnicodeDecodeError as error:
        raise UserError(f"the manifest {address} is not UTF-8 text ({error.reason}); save it as CSV (UTF-8)") from error
    except csv.Error as error:
        raise UserError(f"the manifest {address} is not a valid CSV file: {error}") from error


def _in_csv(text: IO[str], address: str, column: str) -> Iterator[NamedPath]:
    header = text.readline()
    delimiter, names = _header(header, column)
    if column not in names:
        raise UserError(
            f"the manifest {address} has no column {column!r}; it has {', '.join(names) or 'nothing'}: name the "
            "column of the images"
        )
    place = names.index(column)
    rows = csv.reader(text, delimiter=delimiter, strict=True)
    for cells in rows:
        if any(cells):
            yield NamedPath(rows.line_num + 1, cells[place].strip() if place < len(cells) else "")


def _header(line: str, column: str) -> tuple[str, list[str]]:
    """Returns the delimiter and the columns: those among which `column` is, or else the most."""

    def names(delimiter: str) -> list[str]:
        return [name.strip() for name in next(csv.reader([line], delimiter=delimiter), [])]

    best = max(_DELIMITERS, key=lambda delimiter: (column in names(delimiter), len(names(delimiter))))
    return best, names(best)


def _in_json_lines(text: IO[str], address: str, column: str) -> Iterator[NamedPath]:
    for number, line in enumerate(text, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise UserError(f"the manifest {address}, line {number} is not JSON: {error}") from error
        if not isinstance(row, dict) or (number == 1 and column not in row):
            raise UserError(f"the manifest {address}, line {number} is not an object with the key {column!r}")
        yield NamedPath(number, str(row.get(column) or "").strip())
