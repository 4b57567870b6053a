"""Artifact types of this pipeline beyond those of TFX.

A type's name is `<namespace>.<Title>`, as TFX's compiler for Kubeflow requires of custom types.  Those of
the namespace `system` are Kubeflow's: its dashboard chooses the viewer by them.
"""

from __future__ import annotations

from tfx.types import artifact


class Quarantine(artifact.Artifact):
    """The pairs that ingestion could not use.

    `quarantine.jsonl` holds a `components.example_gen.quarantine.Quarantined` a line, `summary.json` the
    `IngestionSummary` of everything that was found.
    """

    TYPE_NAME = "segpipe.Quarantine"


class GateResult(artifact.Artifact):
    """Findings of the data gate: `gate.json`, a `components.data_gate.result.GateReport`."""

    TYPE_NAME = "segpipe.GateResult"


class CrossValidationResult(artifact.Artifact):
    """Metrics of each fold's model: `cross_validation.json`, a `components.cross_validator.result.CrossValidation`."""

    TYPE_NAME = "segpipe.CrossValidationResult"


class BatchPredictions(artifact.Artifact):
    """Account of a batch prediction: `summary.json`, a `components.batch_predictor.entries.Counts`, and copies of
    `rejected.jsonl` and the index; the masks are in the configured folder.
    """

    TYPE_NAME = "segpipe.BatchPredictions"


class Report(artifact.Artifact):
    """One self-contained HTML page, `report.html`."""

    TYPE_NAME = "system.HTML"


class Summary(artifact.Artifact):
    """Summary of a run in Markdown, `summary.md`."""

    TYPE_NAME = "system.Markdown"


class Metrics(artifact.Artifact):
    """Figures as custom properties, metric → value; with `metrics.json`, the whole evaluation."""

    TYPE_NAME = "system.Metrics"


class ConfusionMatrix(artifact.Artifact):
    """The custom property `confusionMatrix`, see `components.report.dashboard.confusion_matrix`."""

    TYPE_NAME = "system.ClassificationMetrics"


class Lineage(artifact.Artifact):
    """Configuration of a run, and where its artifacts lie: `lineage.json`, a `components.report.lineage.Lineage`."""

    TYPE_NAME = "segpipe.Lineage"


OWN_TYPES = (
    Quarantine,
    GateResult,
    CrossValidationResult,
    BatchPredictions,
    Report,
    Summary,
    Metrics,
    ConfusionMatrix,
    Lineage,
)
