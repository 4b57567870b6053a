"""Table of the versions."""

from __future__ import annotations

import datetime
from typing import NamedTuple

from rich.console import JustifyMethod
from rich.table import Table
from rich.text import Text

from registry.exports import Exports, read_exports, size_text
from registry.manifest import Manifest
from registry.serving_record import ServingRecord
from registry.store import Registry, no_registry

_SHORT = 12
_NAMED = 5
_COLUMNS: tuple[tuple[str, JustifyMethod], ...] = (
    ("version", "right"),
    ("", "left"),
    ("created", "left"),
    ("IoU", "right"),
    ("Dice", "right"),
    ("against", "right"),
    ("data", "left"),
    ("content", "left"),
)


class VersionRow(NamedTuple):
    """One version."""

    version: int
    served: bool
    canary_percent: int | None
    withdrawn: bool
    created: datetime.datetime
    mean_iou: float | None
    mean_dice: float | None
    unmeasured: tuple[str, ...]
    """Classes without a metric, which the means leave out."""
    data_fingerprint: str
    judged_against: int | None
    content_hash: str
    exports: Exports | None = None
    """Formats besides the SavedModel."""


def version_rows(uri: str) -> list[VersionRow]:
    """Returns the versions in the registry at `uri`, oldest first; hashes are shortened.

    Raises:
        NoRegistryError: there are none.
    """
    registry = Registry(uri)
    versions = registry.versions()
    if not versions:
        raise no_registry(uri)
    record = registry.serving_record()
    return [_row(manifest, record, read_exports(registry, manifest.version)) for manifest in versions]


WIDTH = 100
"""Characters that no row is longer than."""


def versions_table(rows: list[VersionRow]) -> Table:
    """Returns the rows as a table of at most `WIDTH` characters in width; IoU and Dice are means, times are local."""
    table = Table(box=None, pad_edge=False)
    for heading, justify in _COLUMNS:
        table.add_column(heading, justify=justify, no_wrap=True)
    for row in rows:
        table.add_row(*_cells(row), style="bold" if row.served else None)
    notes = [f"* version {row.version} is not measured on: {_listed(row)}" for row in rows if row.unmeasured]
    notes += [f"version {row.version} holds {_sizes(row.exports)}" for row in rows if row.exports]
    if notes:
        table.caption = Text("\n".join(notes))
        table.caption_justify = "left"
    return table


def _sizes(exports: Exports) -> str:
    sizes = [("saved_model", exports.saved_model_bytes), *((form.format, form.bytes) for form in exports.formats)]
    return ", ".join(f"{name} ({size_text(size)})" for name, size in sizes)


def _unmeasured(manifest: Manifest) -> tuple[str, ...]:
    if not any(name.startswith("iou/") for name in manifest.metrics):
        return ()
    classes = manifest.config.get("data", {}).get("classes", ())
    return tuple(name for name in classes if f"iou/{name}" not in manifest.metrics)


def _listed(row: VersionRow) -> str:
    more = len(row.unmeasured) - _NAMED
    return ", ".join(row.unmeasured[:_NAMED]) + (f" and {more} more classes" if more > 0 else "")


def _row(manifest: Manifest, record: ServingRecord, exports: Exports | None) -> VersionRow:
    canary = record.canary
    return VersionRow(
        version=manifest.version,
        served=manifest.version == record.served,
        canary_percent=canary.percent if canary and canary.version == manifest.version else None,
        withdrawn=manifest.version in record.withdrawn,
        created=manifest.created,
        mean_iou=manifest.metrics.get("mean_iou"),
        mean_dice=manifest.metrics.get("mean_dice"),
        unmeasured=_unmeasured(manifest),
        data_fingerprint=manifest.data_fingerprint[:_SHORT],
        judged_against=manifest.baseline_version,
        content_hash=manifest.content_hash[:_SHORT],
        exports=exports,
    )


def _cells(row: VersionRow) -> tuple[str, ...]:
    return (
        str(row.version),
        _role(row),
        f"{row.created.astimezone():%Y-%m-%d %H:%M}",
        _figure(row.mean_iou) + ("*" if row.unmeasured else ""),
        _figure(row.mean_dice) + ("*" if row.unmeasured else ""),
        "–" if row.judged_against is None else str(row.judged_against),
        row.data_fingerprint,
        row.content_hash,
    )


def _role(row: VersionRow) -> str:
    if row.served:
        return "served"
    if row.canary_percent is not None:
        return f"canary {row.canary_percent}%"
    return "withdrawn" if row.withdrawn else ""


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
