"""A finished run of a workspace, as a notebook looks at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.errors import UserError
from components import component_keys as keys
from components.evaluator.results import RESULTS_FILE, Evaluation, SliceMetrics
from components.example_gen.quarantine import QUARANTINE_FILE, SUMMARY_FILE, IngestionSummary, Quarantined
from components.report import charts, reliability_diagram, tables
from components.report.page import REPORT_FILE
from components.report.training_curves import training_curves
from components.trainer.history import TrainingHistory
from pipeline.local.finished_run import FinishedRun, newest_finished_run
from pipeline.notebook import frames
from pipeline.notebook.figure import Figure

if TYPE_CHECKING:
    import pandas as pd


def load_run(workspace: str | Path) -> Run:
    """Returns the newest finished run of a workspace; nothing of it is executed, and no TensorFlow is imported.

    Raises:
        UserError: the folder is not a workspace, or holds no finished run.
    """
    return Run(Path(workspace), newest_finished_run(Path(workspace)))


@dataclass(frozen=True)
class Run:
    """Results of a run: dataframes as properties, figures as methods, and the typed results that both are made from."""

    workspace: Path
    finished: FinishedRun

    @property
    def config(self) -> Mapping[str, Any]:
        """The whole configuration."""
        return self.finished.config

    @property
    def name(self) -> str:
        """Name of the use case."""
        return self.config["name"]

    @property
    def blessed(self) -> bool:
        """Whether the model passed all thresholds."""
        return self.evaluation.verdict.blessed

    @property
    def report(self) -> Path:
        """The report, an HTML page."""
        return self.finished.report / REPORT_FILE

    @cached_property
    def histories(self) -> tuple[TrainingHistory, ...]:
        """Of the training, or of that of each fold."""
        return self.finished.histories()

    @cached_property
    def evaluation(self) -> Evaluation:
        """The evaluator's result."""
        return Evaluation.model_validate_json((self.finished.artifacts[keys.EVALUATION] / RESULTS_FILE).read_text())

    @cached_property
    def ingestion(self) -> IngestionSummary:
        """The account of the ingestion."""
        path = self.finished.artifacts[keys.QUARANTINE] / SUMMARY_FILE
        return IngestionSummary.model_validate_json(path.read_text())

    @property
    def epochs(self) -> pd.DataFrame:
        """Seconds, learning rate, losses and metrics by training and epoch."""
        return frames.epochs_frame(self.histories)

    @property
    def metrics(self) -> pd.DataFrame:
        """Metrics by model, slice and class, with intervals."""
        return frames.metrics_frame(self.evaluation)

    @property
    def checks(self) -> pd.DataFrame:
        """Checks of the verdict."""
        return frames.checks_frame(self.evaluation.verdict.checks)

    @property
    def class_pixels(self) -> pd.DataFrame:
        """Pixels of each class in each split."""
        return frames.class_pixels_frame(self.ingestion)

    @property
    def quarantine(self) -> pd.DataFrame:
        """Pairs that were set aside, with their reasons."""
        with (self.finished.artifacts[keys.QUARANTINE] / QUARANTINE_FILE).open(encoding="utf-8") as lines:
            return frames.quarantine_frame([Quarantined.model_validate_json(line) for line in lines])

    def confusion(self, slice_name: str | None = None) -> pd.DataFrame:
        """Pixels by truth and prediction, in all images or those of a slice, `column=value`.

        Raises:
            UserError: no slice has that name.
        """
        return frames.confusion_frame(self._part(slice_name), self.evaluation.classes)

    def plot_loss(self) -> Figure:
        """Returns the loss over the epochs."""
        return Figure("Loss", training_curves(self.histories).loss)

    def plot_iou(self) -> Figure:
        """Returns the mean IoU over the epochs."""
        return Figure("Mean IoU", training_curves(self.histories).iou)

    def plot_confusion(self, slice_name: str | None = None) -> Figure:
        """Returns the shares of each class's pixels by prediction, as a heat map.

        Raises:
            UserError: no slice has that name.
        """
        shares_CC = tables.row_shares(self._part(slice_name).confusion)
        return Figure("Confusion", charts.heat_map(self.evaluation.classes, shares_CC), height=520)

    def plot_reliability(self) -> Figure:
        """Returns the accuracy by confidence.

        Raises:
            UserError: calibration was not measured.
        """
        bins = self.evaluation.candidate.overall.reliability
        if not bins:
            raise UserError("calibration was not measured: add it to evaluator.metrics")
        return Figure("Accuracy by confidence", reliability_diagram.accuracy_by_confidence(bins))

    def _part(self, slice_name: str | None) -> SliceMetrics:
        measured = self.evaluation.candidate
        if slice_name is None:
            return measured.overall
        by_name = {f"{part.column}={part.value}": part for part in measured.slices}
        if slice_name not in by_name:
            raise UserError(f"no slice is named {slice_name!r}; there are: {', '.join(by_name) or 'none'}")
        return by_name[slice_name]
