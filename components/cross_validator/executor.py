"""Executor of the step `CrossValidator`."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_beam_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import io_utils, path_utils

from common import progress
from common.errors import UserError
from common.plurals import counted
from components import component_keys as keys
from components.cross_validator.result import CROSS_VALIDATION_FILE, CrossValidation, FoldResult
from components.evaluator import estimates, wording
from components.evaluator.config import EvaluatorConfig
from components.evaluator.families.names import metric_names
from components.evaluator.out_of_fold import measure_out_of_fold
from components.evaluator.results import Measured
from components.fold_inputs import artifacts_of_folds
from components.trainer.history import HISTORY_FILE, TrainingHistory

_IN_FOLDS = ("train", "eval")
"""The splits that the folds are made of."""


class Executor(base_beam_executor.BaseBeamExecutor):
    """Evaluates each fold's model on its fold, and pools the counts."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """As in `CrossValidator`.

        Raises:
            UserError: a fold has no image.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        config = EvaluatorConfig.model_validate_json(exec_properties[keys.EVALUATOR_CONFIG])
        classes = tuple(json.loads(exec_properties[keys.CLASSES]))
        folder = artifact_utils.get_single_uri(output_dict[keys.CROSS_VALIDATION])
        models = [path_utils.serving_model_path(model.uri) for model in artifacts_of_folds(keys.MODEL, input_dict)]
        examples = input_dict[keys.EXAMPLES]
        patterns = [
            io_utils.all_files_pattern(uri)
            for split in _IN_FOLDS
            for uri in artifact_utils.get_split_uris(examples, split)
        ]
        with self._make_beam_pipeline() as pipeline:
            measure_out_of_fold(pipeline, patterns, models, config, classes, folder)
        measured = estimates.read(folder, classes, further=metric_names(config.metrics, classes))
        histories = [_history(run.uri) for run in artifacts_of_folds(keys.MODEL_RUN, input_dict)]
        result = put_together(measured, histories, classes)
        io_utils.write_string_file(os.path.join(folder, CROSS_VALIDATION_FILE), result.model_dump_json(indent=1))
        progress.report(closing_line(result))


def put_together(
    measured: Measured | None, histories: Sequence[TrainingHistory], classes: tuple[str, ...]
) -> CrossValidation:
    """Joins the metrics of the folds with their trainings.

    Raises:
        UserError: a fold has no image.
    """
    by_fold = {int(part.value or 0): part for part in measured.slices} if measured else {}
    missing = [fold for fold in range(1, len(histories) + 1) if fold not in by_fold]
    if measured is None or missing:
        raise UserError(f"fold {missing[0]} has no image to evaluate a model on: lower data.split.folds")
    folds = (FoldResult(fold=fold, metrics=by_fold[fold], history=run) for fold, run in enumerate(histories, 1))
    return CrossValidation(classes=classes, folds=tuple(folds), pooled=measured.overall)


def closing_line(result: CrossValidation) -> str:
    """One line: the mean IoU of the folds, its deviation, and the pooled one."""
    spread = result.spread("mean_iou")
    mean, deviation = (_shown(value) for value in spread)
    pooled = result.pooled.mean_iou
    interval = wording.interval(pooled, digits=3)
    return (
        f"{len(result.folds)} folds: mean IoU {mean} ± {deviation}, out of fold {_shown(pooled.value)}"
        f"{f' ({interval})' if interval else ''} on "
        f"{counted(result.pooled.pictures, 'image')}"
    )


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _history(folder: str) -> TrainingHistory:
    with fileio.open(os.path.join(folder, HISTORY_FILE), "r") as file:
        return TrainingHistory.model_validate_json(file.read())
