"""Content of the report as one typed object."""

from __future__ import annotations

import dataclasses
import datetime

from common.run_context import StepUsage
from components.cross_validator.result import CrossValidation
from components.data_gate.result import GateReport
from components.evaluator.results import Evaluation
from components.example_gen.quarantine import IngestionSummary, Quarantined
from components.pusher.result import PushResult
from components.serving_check.result import ServingCheckResult
from components.trainer.history import TrainingHistory
from registry.exports import Exports


@dataclasses.dataclass(frozen=True)
class ShownPrediction:
    """One prediction for display; the images are data URIs of one size."""

    number: int  # of the record in its split
    id: str
    score: float  # mean IoU, see `shown_predictions.score`
    slices: dict[str, str]
    width: int  # of the original, pixels
    height: int
    shown_width: int  # of the images below, pixels
    shown_height: int
    image: str
    truth: str
    prediction: str
    errors: str  # transparent, with the wrong pixels in pink
    class_iou: tuple[tuple[int, float], ...] = ()  # class and its IoU in this image, the largest classes first


@dataclasses.dataclass(frozen=True)
class WorstOfClass:
    """The predictions with the lowest IoU of one class, each with that IoU."""

    index: int  # of the class
    examples: tuple[tuple[ShownPrediction, float], ...]


@dataclasses.dataclass(frozen=True)
class Provenance:
    """What a run was made from, besides its configuration, data and packages."""

    command: str | None = None  # as a shell reads it, if the runner knows it
    commit: str | None = None  # of the code, if it is a git checkout
    seed: int | None = None


@dataclasses.dataclass(frozen=True)
class ReportData:
    """Results of every step of one run."""

    name: str
    created: datetime.datetime
    ingestion: IngestionSummary
    quarantined: tuple[Quarantined, ...]  # the first of them; the summary has the counts
    gate: GateReport
    trainings: tuple[TrainingHistory, ...]  # one, or that of each fold
    evaluation: Evaluation
    serving: ServingCheckResult | None  # without the check none
    push: PushResult | None
    best: tuple[ShownPrediction, ...]
    worst: tuple[ShownPrediction, ...]
    scored: int  # images among which best and worst were found
    config: str  # YAML
    software: dict[str, str]
    cross_validation: CrossValidation | None = None
    worst_by_class: tuple[WorstOfClass, ...] = ()
    steps: tuple[StepUsage, ...] = ()  # those before the report, if the runner has measured them
    provenance: Provenance = Provenance()
    exports: Exports | None = None  # formats beside the SavedModel, if the run exports any

    @property
    def examples(self) -> tuple[ShownPrediction, ...]:
        """All predictions that are shown, each once."""
        by_class = (example for each in self.worst_by_class for example, _ in each.examples)
        return tuple({shown.number: shown for shown in (*self.worst, *self.best, *by_class)}.values())
