"""The index: a Parquet file for each shard, with a row for each image."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from components.batch_predictor.entries import Entry
from components.batch_predictor.origin import ModelFacts, Origin
from components.batch_predictor.out_folder import INDEX, OutFolder, read_or_none

_ROWS = 10_000


def part_path(shard: int, shards: int) -> str:
    """Returns the path of a shard's file."""
    return f"{INDEX}/part-{shard:05d}-of-{shards:05d}.parquet"


def write_part(out: OutFolder, origin: Origin, shard: int, entries: list[Entry]) -> None:
    """Writes a shard's file: the same rows give the same bytes."""
    buffer = io.BytesIO()
    pq.write_table(_table(entries, origin.model), buffer, row_group_size=_ROWS)
    out.write(part_path(shard, origin.shards), buffer.getvalue())


def read_part(out: OutFolder, origin: Origin, shard: int) -> list[Entry]:
    """Returns the rows of a shard; none if it was never complete."""
    data = read_or_none(out, part_path(shard, origin.shards))
    if data is None:
        return []
    return [_entry(row, origin.model) for row in pq.read_table(io.BytesIO(data)).to_pylist()]


def read_rejected(out: OutFolder, origin: Origin, shard: int) -> list[dict[str, str]]:
    """Returns path, status and reason of the images of a shard that have no mask."""
    data = read_or_none(out, part_path(shard, origin.shards))
    if data is None:
        return []
    table = pq.read_table(io.BytesIO(data), columns=["path", "status", "reason"])
    rows: list[dict[str, str]] = table.filter(pc.not_equal(table["status"], "predicted")).to_pylist()
    return rows


def _schema(classes: tuple[str, ...]) -> pa.Schema:
    fractions = pa.struct([pa.field(name, pa.float32()) for name in classes])
    return pa.schema(
        [
            pa.field("path", pa.string(), nullable=False),
            pa.field("status", pa.string(), nullable=False),
            pa.field("reason", pa.string()),
            pa.field("mask", pa.string()),
            pa.field("height", pa.int32()),
            pa.field("width", pa.int32()),
            pa.field("fractions", fractions),
            pa.field("mean_confidence", pa.float32()),
            pa.field("model", pa.string()),
            pa.field("model_version", pa.int32()),
            pa.field("state", pa.string()),
        ]
    )


def _table(entries: list[Entry], model: ModelFacts) -> pa.Table:
    rows = [
        {
            **entry.model_dump(),
            "reason": entry.reason or None,
            "mask": entry.mask or None,
            "fractions": dict(zip(model.classes, entry.fractions, strict=True)) if entry.fractions else None,
            "model": model.name,
            "model_version": model.version,
        }
        for entry in entries
    ]
    return pa.Table.from_pylist(rows, _schema(model.classes))


def _entry(row: dict[str, object], model: ModelFacts) -> Entry:
    fractions = row["fractions"]
    values = tuple(fractions[name] for name in model.classes) if isinstance(fractions, dict) else ()
    kept = {name: value for name, value in row.items() if name in Entry.model_fields and value is not None}
    return Entry.model_validate({**kept, "fractions": values})
