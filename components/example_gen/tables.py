"""Reads tables as rows of text cells: CSV in several dialects, JSON lines and JSON lists."""

from __future__ import annotations

import codecs
import csv
import io
import json
import posixpath
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from common.errors import UserError

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "blanks"}
"""Delimiter → its name for messages; the first four are detected."""
_SNIFFED = (",", ";", "\t", "|")
_SNIFFED_CHARACTERS = 100_000
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_OTHER_KINDS = (
    (b"PK\x03\x04", "is a spreadsheet or another zip file, not a table of text; save the sheet as CSV (UTF-8)"),
    (b"\xd0\xcf\x11\xe0", "is an old Excel file, not a table of text; save the sheet as CSV (UTF-8)"),
    (b"PAR1", "is a Parquet file, not a table of text; write it as CSV (pandas: to_csv(index=False))"),
    (b"\x1f\x8b", "is compressed; unpack it"),
    (b"SQLite format 3", "is a data base, not a table of text; export the table as CSV"),
)


@dataclass(frozen=True)
class Row:
    """One row: its number for messages, and its cells, or what is wrong with it."""

    number: int
    cells: dict[str, str]
    problem: str | None = None
    cause: str | None = None
    remedy: str | None = None


@dataclass(frozen=True)
class Table:
    """A table as read, with the columns in the order in which they came."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    delimiter: str | None = None
    """The delimiter of a CSV file."""


def parse_table(data: bytes, file: str, delimiter: str | None, wanted: Sequence[str]) -> Table:
    """The table in `data`.

    Args:
      data: The bytes of the file.
      file: Its name, for messages; the suffixes .json, .jsonl and .ndjson, or the content, tell JSON from CSV.
      delimiter: The delimiter of a CSV file; `None` if its header decides.
      wanted: Columns that the header must name, to detect the delimiter.

    Raises:
      UserError: it is not a table; the message says what it is instead and what to do.
    """
    text = _decode(data, file)
    suffix = posixpath.splitext(file)[1].lower()
    if suffix in {".json", ".jsonl", ".ndjson"} or re.match(r"\s*(\[\s*)?\{", text):
        return _parse_json(text, file)
    return _parse_csv(text, file, delimiter, wanted)


def same_name(name: str) -> str:
    """Normalises a column's name: case, Unicode form and surrounding blanks."""
    return unicodedata.normalize("NFC", name).strip().casefold()


def _decode(data: bytes, file: str) -> str:
    kind = next((text for start, text in _OTHER_KINDS if data.startswith(start)), None)
    if kind:
        raise UserError(f"the manifest {file} {kind}")
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8-sig")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise UserError(f"the manifest {file} is not {_wrong_byte(data, error)}") from error
    if "\0" in text:
        raise UserError(f"the manifest {file} holds zero bytes, as UTF-16 without its mark does; save it as UTF-8")
    return text


def _wrong_byte(data: bytes, error: UnicodeDecodeError) -> str:
    if error.encoding != "utf-8":
        return f"valid {error.encoding.upper()}, although it begins as such (byte {error.start}); save it as UTF-8"
    line = data.count(b"\n", 0, error.start) + 1
    meant = data[error.start : error.start + 1].decode("cp1252", "replace")
    return (
        f"UTF-8 (byte {error.start}, line {line}, which Windows-1252 would read as {meant!r}); save it as UTF-8 "
        "(in Excel: CSV UTF-8)"
    )


def _parse_csv(text: str, file: str, delimiter: str | None, wanted: Sequence[str]) -> Table:
    declared = re.match(r'"?sep=(.)"?[,;\t|]*(?:\r\n|\r|\n|$)', text, re.IGNORECASE)  # Written by Excel.
    skipped = 1 if declared else 0
    body = text[declared.end() :] if declared else text
    delimiter = delimiter or (declared.group(1) if declared else _sniff(body, file, wanted))
    reader = _reader(body, delimiter)
    try:
        header = next((cells for cells in _stripped(reader) if any(cells)), [])
        lines = [(reader.line_num + skipped, cells) for cells in _stripped(reader)]
    except csv.Error as error:
        place = f"line {reader.line_num + skipped}"
        raise UserError(
            f"the manifest {file} is not a valid CSV file: {place}: {error}; quotation marks must enclose a whole "
            "cell, and one inside a cell is doubled"
        ) from error
    filled = [(number, cells) for number, cells in lines if any(cells)]
    _check_header(header, filled, file)
    return Table(tuple(filter(None, header)), tuple(_csv_row(*line, header) for line in filled), delimiter)


def _stripped(reader: Iterable[list[str]]) -> Iterator[list[str]]:
    return ([cell.strip() for cell in cells] for cells in reader)


def _reader(text: str, delimiter: str, strict: bool = True) -> Any:  # The csv module does not name the type.
    lines = io.StringIO(text, newline="")
    return csv.reader(lines, delimiter=delimiter, strict=strict, skipinitialspace=delimiter != " ")


def _sniff(text: str, file: str, wanted: Sequence[str]) -> str:
    """Returns the delimiter with which the header names most of the `wanted` columns, and then the most columns.

    So semicolons in the quoted cells of a comma file decide nothing.
    """
    names = {same_name(name) for name in wanted}
    first = ("\t", *_SNIFFED) if file.lower().endswith((".tsv", ".tab")) else _SNIFFED

    def rank(delimiter: str) -> tuple[int, int]:
        try:
            reader = _reader(text[:_SNIFFED_CHARACTERS], delimiter, strict=False)
            header: list[str] = next((cells for cells in reader if any(cells)), [])
        except csv.Error:
            return -1, 0
        return len(names & {same_name(cell) for cell in header}), len(header)

    return max(dict.fromkeys(first), key=rank)  # The first on a tie.


def _check_header(header: Sequence[str], lines: Iterable[tuple[int, Sequence[str]]], file: str) -> None:
    twice = [name for name, count in Counter(filter(None, header)).items() if count > 1]
    if twice:
        raise UserError(f"the manifest {file} has two columns named {twice[0]!r}; take one out or rename it")
    nameless = [place for place, name in enumerate(header) if not name]
    for number, cells in lines:
        for place in nameless:
            if place < len(cells) and cells[place]:
                index = " (pandas writes its index so, without index=False)" if place == 0 else ""
                raise UserError(
                    f"the manifest {file} has a column without a name, column {place + 1}, which holds "
                    f"{cells[place]!r} in line {number}{index}; name it, or take it out"
                )


def _csv_row(number: int, cells: Sequence[str], header: Sequence[str]) -> Row:
    named = {name: cell for name, cell in zip(header, cells, strict=False) if name}
    needed = max((place for place, name in enumerate(header, 1) if name), default=0)
    if len(cells) >= needed and not any(cells[len(header) :]):
        return Row(number, named)
    return Row(
        number,
        named,
        f"has {len(cells)} cells, but the header {len(header)}",
        "has a different number of cells from the header",
        "put a cell that holds the separator into quotation marks, and write empty cells too",
    )


def _parse_json(text: str, file: str) -> Table:
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):  # One object per line, or broken.
        whole = None
    if isinstance(whole, list):
        rows = [_json_row(number, value) for number, value in enumerate(whole, 1)]
    elif isinstance(whole, dict):
        _require_row(whole, text, file)
        rows = [_json_row(1, whole)]
    else:
        lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
        rows = [_json_line(number, line) for number, line in lines]
    return Table(tuple(dict.fromkeys(column for row in rows for column in row.cells)), tuple(rows))


def _require_row(whole: dict[str, object], text: str, file: str) -> None:
    """Raises `UserError` if one JSON object is a whole table, not its only row."""
    lines = file.lower().endswith((".jsonl", ".ndjson")) and "\n" not in text.strip()
    if not lines and any(isinstance(value, (list, dict)) for value in whole.values()):
        keys = ", ".join(list(whole)[:6])
        raise UserError(
            f"the manifest {file} is one JSON object with the keys {keys}, not a list of rows; write a list of "
            "objects, each with the paths of an image and its mask (pandas: to_json(orient='records'))"
        )


def _json_line(number: int, line: str) -> Row:
    try:
        return _json_row(number, json.loads(line))
    except (ValueError, RecursionError) as error:
        return Row(number, {}, f"is not JSON: {error}", "is not JSON")


def _json_row(number: int, value: object) -> Row:
    if not isinstance(value, dict):
        return Row(number, {}, f"is {type(value).__name__}, not an object", "is not an object")
    nested = [key for key, cell in value.items() if isinstance(cell, (dict, list))]
    cells = {key: _json_cell(cell) for key, cell in value.items() if key not in nested}
    if not nested:
        return Row(number, cells)
    problem = f"has a nested value in {nested[0]!r}"
    return Row(number, cells, problem, problem, "write a row for each pair, with text or numbers as values")


def _json_cell(cell: object) -> str:
    if cell is None:
        return ""
    text = cell.strip() if isinstance(cell, str) else json.dumps(cell)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")  # JSON may hold half a surrogate pair.
