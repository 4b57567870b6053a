"""What a person calls the steps."""

from __future__ import annotations

LABELS = {
    "ImageMaskExampleGen": "Ingest pairs",
    "SchemaImporter": "Import schema",
    "StatisticsGen": "Compute statistics",
    "ExampleValidator": "Validate examples",
    "DataGate": "Data gate",
    "Transform": "Transform",
    "HyperbandTuner": "Search",
    "Trainer": "Train",
    "Baseline": "Fetch baseline",
    "SegmentationEvaluator": "Evaluate",
    "ServingCheck": "Check serving",
    "RegistryPusher": "Push",
    "RunReport": "Write report",
}
"""TFX's name of a step → a person's."""
