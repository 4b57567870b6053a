"""Content of the report as one typed object."""

from __future__ import annotations

import dataclasses
import datetime

from components.cross_validator.result import CrossValidation
from components.data_gate.result import GateReport
from components.evaluator.results import Evaluation
from components.example_gen.quarantine import IngestionSummary, Quarantined
from components.pusher.result import PushResult
from components.serving_check.result import ServingCheckResult
from components.trainer.history import TrainingHistory


@dataclasses.dataclass(frozen=True)
class ShownPrediction:
    """One prediction for display; the images are data URIs."""

    id: str
    score: float  # mean IoU, see `shown_predictions.score`
    slices: dict[str, str]
    width: int  # of the original, pixels
    height: int
    image: str
    truth: str
    prediction: str
    errors: str  # the image in grey, with the wrong pixels marked
    class_iou: tuple[tuple[int, float], ...] = ()  # class and its IoU in this image, the largest classes first


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
