"""Row of the request log: one image of a request, and how it was answered; readable without TensorFlow."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

OK = "OK"


@dataclasses.dataclass(frozen=True)
class LoggedImage:
    """One image of a request.  What a log cannot say is `None`."""

    time: datetime.datetime | None = None
    """When it was answered, in UTC."""
    model: str | None = None
    version: int | None = None
    signature: str | None = None
    status: str | None = None
    """`OK`, or the name of gRPC's status code."""
    error: str | None = None
    """The message to the client, if it was not answered."""
    seconds: float | None = None
    """Time from the parsed request to its answer, of the whole request."""
    height: int | None = None
    width: int | None = None
    """Size of the upright image, which is that of its mask."""
    encoded_bytes: int | None = None
    digest: str | None = None
    """SHA-256 of the encoded image, in hexadecimal."""
    class_fractions: Mapping[str, float] | None = None
    mean_confidence: float | None = None
    brightness: float | None = None
    contrast: float | None = None
    """See `common.image_tone`."""
    image: str | None = None
    """Path of the kept image below the log, which its retention may have removed."""


_INT, _FLOAT, _TEXT = pa.int64(), pa.float32(), pa.string()
SCHEMA = pa.schema(
    [
        ("time", pa.timestamp("us", tz="UTC")),
        ("model", _TEXT),
        ("version", _INT),
        ("signature", _TEXT),
        ("status", _TEXT),
        ("error", _TEXT),
        ("seconds", _FLOAT),
        ("height", _INT),
        ("width", _INT),
        ("encoded_bytes", _INT),
        ("digest", _TEXT),
        ("class_fractions", pa.map_(_TEXT, _FLOAT)),
        ("mean_confidence", _FLOAT),
        ("brightness", _FLOAT),
        ("contrast", _FLOAT),
        ("image", _TEXT),
    ]
)
"""Columns of the Parquet files; names and types are kept, columns may be added."""


def to_table(rows: Sequence[LoggedImage]) -> pa.Table:
    """Returns the rows as a table with `SCHEMA`."""
    names = [field.name for field in dataclasses.fields(LoggedImage)]
    columns = {name: [getattr(row, name) for row in rows] for name in names}
    columns["class_fractions"] = [
        None if row.class_fractions is None else list(row.class_fractions.items()) for row in rows
    ]
    return pa.table(columns, schema=SCHEMA)


def from_table(table: pa.Table) -> list[LoggedImage]:
    """Returns the rows of a table; columns that it does not have are `None`, further ones are ignored."""
    known = {field.name for field in dataclasses.fields(LoggedImage)}
    return [_row(values, known) for values in table.to_pylist()]


def _row(values: Mapping[str, Any], known: set[str]) -> LoggedImage:
    kept = {name: value for name, value in values.items() if name in known}
    if kept.get("class_fractions") is not None:
        kept["class_fractions"] = dict(kept["class_fractions"])
    return LoggedImage(**kept)
