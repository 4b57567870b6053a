"""A table of rows as a Parquet or JSONL file, by its suffix."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.errors import UserError

if TYPE_CHECKING:
    import pyarrow as pa

SUFFIXES = (".parquet", ".jsonl")


def check_suffix(path: Path) -> None:
    """Raises `UserError` if the suffix is not that of a table."""
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"{path} does not end in {' or '.join(SUFFIXES)}; name another file with --out")


def encode_rows(rows: Iterable[Mapping[str, Any]], schema: pa.Schema, path: Path) -> bytes:
    """Returns the content of the file at `path`; all rows have the columns of `schema`."""
    if path.suffix.lower() == ".jsonl":
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([dict(row) for row in rows], schema), buffer)
    return buffer.getvalue()
