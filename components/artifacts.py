"""The artifact types that TFX does not bring."""

from __future__ import annotations

from tfx.types import artifact


class Quarantine(artifact.Artifact):
    """The pairs that ingestion could not use.

    `quarantine.jsonl` holds a `components.example_gen.quarantine.Quarantined` a line, `summary.json` the
    `IngestionSummary` of everything that was found.
    """

    TYPE_NAME = "segpipe.Quarantine"


class GateResult(artifact.Artifact):
    """What the data gate found: `gate.json`, a `components.data_gate.result.GateReport`."""

    TYPE_NAME = "segpipe.GateResult"


class Report(artifact.Artifact):
    """One self-contained HTML page, `report.html`."""

    TYPE_NAME = "system.HTML"
