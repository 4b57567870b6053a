"""The reference distribution of a model on record files, by the evaluator's pipeline in this process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import apache_beam as beam

from components.evaluator.loaded_models import SharedModels
from components.evaluator.reference import REFERENCE_FILE, ReferenceDistribution
from components.evaluator.reference_sample import MeasureReference, Sample


def measured_reference(
    model: str, patterns: Sequence[str], sample: Sample, folder: Path
) -> ReferenceDistribution | None:
    """Returns what the pipeline wrote to a folder; None if it wrote nothing."""
    folder.mkdir()
    with beam.Pipeline() as pipeline:
        _ = pipeline | MeasureReference(patterns, model, SharedModels([model]), sample, str(folder))
    file = folder / REFERENCE_FILE
    return ReferenceDistribution.model_validate_json(file.read_text()) if file.exists() else None
