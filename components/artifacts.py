"""The artifact types that TFX does not bring."""

from __future__ import annotations

from tfx.types import artifact


class Quarantine(artifact.Artifact):
    """The pairs that ingestion could not use.

    `quarantine.jsonl` holds one object a pair: `id`, `image`, `mask`, `reason` (a word, see
    `components.example_gen.quarantine.Reason`), `detail` (a sentence with the value).  `summary.json` holds the counts:
    `found`, `used`, `quarantined`, `splits` (split → pairs), `reasons` (reason → pairs).
    """

    TYPE_NAME = "SegpipeQuarantine"


class GateResult(artifact.Artifact):
    """What the data gate found: `gate.json` with `passed`, `findings` and the figures behind them."""

    TYPE_NAME = "SegpipeGateResult"


class Report(artifact.Artifact):
    """One self-contained HTML page, `report.html`, beside the `metrics.json` that it was made from."""

    TYPE_NAME = "SegpipeReport"
