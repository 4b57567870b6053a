"""Tables in both formats."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from common.errors import UserError
from pipeline.labelling.row_files import check_suffix, encode_rows

ROWS = [{"path": "ä.png", "score": 0.5, "distance": None}, {"path": "b.png", "score": 0.25, "distance": 1.0}]
SCHEMA = pa.schema([("path", pa.string()), ("score", pa.float64()), ("distance", pa.float64())])


def test_both_hold_the_same_rows(tmp_path: Path) -> None:
    lines, table = tmp_path / "t.jsonl", tmp_path / "t.parquet"
    for path in (lines, table):
        path.write_bytes(encode_rows(ROWS, SCHEMA, path))
    assert [json.loads(line) for line in lines.read_text("utf-8").splitlines()] == ROWS
    assert pq.read_table(table).to_pylist() == ROWS


def test_no_rows_are_a_table_with_columns(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(encode_rows([], SCHEMA, tmp_path / "t.parquet"))
    assert pq.read_schema(tmp_path / "t.parquet").names == SCHEMA.names


def test_another_suffix_is_refused() -> None:
    with pytest.raises(UserError, match=r"table.csv does not end in .parquet or .jsonl; name another file with --out"):
        check_suffix(Path("table.csv"))
