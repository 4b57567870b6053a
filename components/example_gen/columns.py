"""Assigns a manifest's columns to their roles: image, mask, split, group, slice."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from common.errors import UserError
from common.records import SPLITS
from components.example_gen.config import SPLIT_NAMES, ManifestSource
from components.example_gen.suffixes import PICTURE_SUFFIXES
from components.example_gen.tables import DELIMITERS, Table, same_name

_SAMPLED_ROWS = 50
_SHOWN = 8
_OTHER_NAMES = {
    "image": (
        *("img", "images", "image_path", "img_path", "image_file", "filename", "file_name", "file", "path", "photo"),
        *("picture", "input", "x"),
    ),
    "mask": (
        *("masks", "mask_path", "mask_file", "label", "labels", "label_path", "segmentation", "seg", "annotation"),
        *("annotations", "ground_truth", "gt", "target", "y"),
    ),
}
"""Common names of such columns elsewhere; they are suggested, never used."""
_GROUPING = {
    *("patient", "patient_id", "subject", "subject_id", "case", "case_id", "video", "film", "group_id", "sequence")
}


@dataclass(frozen=True)
class Columns:
    """The columns of a table by role; each name is the table's own."""

    image: str
    mask: str
    id: str | None
    split: str | None
    group: str | None
    slices: dict[str, str]
    """Slice → column, in the configuration's spelling if it names it."""


def choose_columns(table: Table, source: ManifestSource) -> Columns:
    """The columns of `table` that `source` names, in any case, and `split` and `group` where they are there.

    Raises `UserError` if one is missing or ambiguous; the text suggests another one if there is one.
    """
    _require_header(table, source)
    image = _named(table, source, "image_column")
    mask = _named(table, source, "mask_column")
    given = {name: _find(table, source, name) for name in source.slice_columns or ()}
    taken = {image, mask, *given.values()}
    split = _named(table, source, "split_column") or _by_default(table, "split", taken)
    group = _named(table, source, "group_column") or _by_default(table, "group", taken)
    name = _named(table, source, "id_column")
    used = (image, mask, name, split, group)
    further = {column: column for column in table.columns if column and column not in used}
    assert image is not None and mask is not None  # Both have a default in the configuration.
    return Columns(image, mask, name, split, group, further if source.slice_columns is None else given)


def describe_columns(table: Table, source: ManifestSource, columns: Columns) -> Iterator[str]:
    """Returns what was inferred from the manifest and is not in the configuration, one sentence each."""
    if source.delimiter is None and table.delimiter not in (None, ","):
        yield f"{source.file}: cells are separated by {DELIMITERS.get(table.delimiter, repr(table.delimiter))}"
    for key, column in (("image_column", columns.image), ("mask_column", columns.mask)):
        if column != getattr(source, key):
            yield f"{source.file}: the column {column!r} is taken for {getattr(source, key)!r}"
    if columns.split:
        yield f"{source.file}: the column {columns.split!r} gives the splits ({_split_counts(table, source, columns)})"
    if columns.group:
        yield f"{source.file}: rows of equal {columns.group!r} stay in one split (the column is the group)"
    if columns.slices and source.slice_columns is None:
        yield f"{source.file}: each further column is a slice: {', '.join(_slices(table, columns))}"


def split_of(value: str, source: ManifestSource) -> str | None:
    """Returns the split that a cell of the split column names; `None` if it is unknown."""
    own = {same_name(name): split for name, split in source.split_names.items()}
    return own.get(same_name(value)) or SPLIT_NAMES.get(same_name(value))


def _split_counts(table: Table, source: ManifestSource, columns: Columns) -> str:
    values = Counter(row.cells.get(columns.split or "", "") for row in table.rows)
    splits = {value: split_of(value, source) for value in values if value}
    parts = [
        f"{values[value]} {value}" + ("" if value == split else f" → {split or 'unknown'}")
        for value, split in splits.items()
    ]
    if values[""]:
        return _joined([*parts, f"{values['']} without one, split by hash"])
    missing = [split for split in SPLITS if split not in splits.values()]
    return _joined(parts) + (
        f"; no row is in {' or '.join(missing)}: rows with an empty cell are split by hash" if missing else ""
    )


def _joined(parts: Sequence[str]) -> str:
    rest = f" and {len(parts) - _SHOWN} more" if len(parts) > _SHOWN else ""
    return ", ".join(parts[:_SHOWN]) + rest


def _slices(table: Table, columns: Columns) -> Iterator[str]:
    """Lists the slicing columns, with hints for those that look like something else."""
    for column in columns.slices:
        distinct = {row.cells.get(column, "") for row in table.rows}
        if columns.group is None and same_name(column) in _GROUPING:
            yield f"{column} (write group_column: {column} under data.source to keep its rows in one split)"
        elif len(distinct) == len(table.rows) > 1:
            yield f"{column} (a different value in each row; to use it, list it in slice_columns under data.source)"
        else:
            yield column


def _require_header(table: Table, source: ManifestSource) -> None:
    """Raises `UserError` if the table has no row, or no header."""
    paths = [column for column in table.columns if _is_path(column)]
    if table.delimiter and len(paths) > 1:
        header = table.delimiter.join((source.image_column, source.mask_column))
        raise UserError(
            f"the manifest {source.file} has no header: its first line names files ({', '.join(paths[:2])}); "
            f"add a line with the column names above it, such as {header!r}"
        )
    if not table.rows:
        raise UserError(f"the manifest {source.file} has no row")


def _named(table: Table, source: ManifestSource, key: str) -> str | None:
    """Returns the table's column that the configuration's `key` names; `None` if it names none."""
    name = getattr(source, key)
    return None if name is None else _find(table, source, name, key)


def _find(table: Table, source: ManifestSource, name: str, key: str = "slice_columns") -> str:
    if name in table.columns:
        return name
    alike = _alike(table, name)
    if len(alike) == 1:
        return alike[0]
    if alike:
        raise UserError(
            f"the manifest {source.file} has several columns for {name!r}: {', '.join(alike)}; "
            f"write the one that is meant as {key} under data.source"
        )
    raise UserError(
        f"the manifest {source.file} has no column {name!r}; it has {_listed(table)}{_proposal(table, source)}"
    )


def _listed(table: Table) -> str:
    if len(table.columns) > 1 or table.delimiter is None:
        return ", ".join(table.columns)
    [only] = table.columns
    line = "delimiter: ' '" if " " in only else "delimiter: and the character that separates the cells"
    return f"{only!r} alone; write {line} under data.source"


def _by_default(table: Table, name: str, taken: Iterable[str | None]) -> str | None:
    alike = [name] if name in table.columns else _alike(table, name)
    return alike[0] if len(alike) == 1 and alike[0] not in set(taken) else None


def _alike(table: Table, name: str) -> list[str]:
    return [column for column in table.columns if same_name(column) == same_name(name)]


def _proposal(table: Table, source: ManifestSource) -> str:
    """Suggests lines for the columns of image and mask, if other columns may be them."""
    lines: dict[str, str] = {}
    if len(table.columns) == 1:
        return ""
    for kind in ("image", "mask"):
        key = f"{kind}_column"
        if getattr(source, key) not in table.columns and not _alike(table, getattr(source, key)):
            used = {*lines.values(), *(_alike(table, source.image_column)), *(_alike(table, source.mask_column))}
            if guess := next((column for column in _guesses(table, kind) if column not in used), None):
                lines[key] = guess
    if not lines:
        return ""
    return "; write " + " and ".join(f"{key}: {column}" for key, column in lines.items()) + " under data.source"


def _guesses(table: Table, kind: str) -> list[str]:
    """Returns the columns that may hold paths of images or masks: by common names, then by content."""
    known = [column for name in _OTHER_NAMES[kind] for column in _alike(table, name.replace("_", " "))]
    known += [column for name in _OTHER_NAMES[kind] for column in _alike(table, name)]
    rows = table.rows[:_SAMPLED_ROWS]
    holding = [
        column
        for column in table.columns
        if sum(_is_path(row.cells.get(column, "")) for row in rows) * 2 > len(rows) and column not in known
    ]
    others = _OTHER_NAMES["mask" if kind == "image" else "image"]
    return known + [column for column in holding if same_name(column) not in others]


def _is_path(cell: str) -> bool:
    return posixpath.splitext(cell)[1].lower() in PICTURE_SUFFIXES
