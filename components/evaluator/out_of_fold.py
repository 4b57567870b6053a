"""The Beam pipeline of a cross-validation: each model's counts on the fold that it was not trained on, in one sum.

A record is evaluated by the model of its fold; after that, TFMA adds the counts up as in `measuring`, with the fold as
the slicing column.  So the whole is the pooled out-of-fold result, with the interval over all images.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow as tf
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis import constants
from tensorflow_model_analysis.api import types
from tensorflow_model_analysis.extractors import slice_key_extractor, unbatch_extractor

from common.records import FOLD, slice_feature
from components.evaluator.config import EvaluatorConfig
from components.evaluator.eval_config import CANDIDATE, make_eval_config
from components.evaluator.loaded_models import SharedModels
from components.evaluator.measuring import as_predictions, family_extractors, result_writers, to_extracts

FOLD_COLUMN = FOLD
"""Slicing column of the results: the fold, from 1."""


def measure_out_of_fold(
    pipeline: beam.Pipeline,
    record_patterns: Sequence[str],
    model_dirs: Sequence[str],
    config: EvaluatorConfig,
    classes: Sequence[str],
    output_folder: str,
) -> None:
    """Adds the evaluation of all folds to `pipeline`; `estimates.read` reads the results from `output_folder`.

    Args:
        pipeline: The pipeline to add to.
        record_patterns: Globs of TFRecord files with all folds.
        model_dirs: SavedModels of folds 1 ….
        config: What to measure; its slices are replaced by the folds.
        classes: Names of the classes.
        output_folder: Folder for TFMA's files.
    """
    config = config.model_copy(update={"slices": (FOLD_COLUMN,)})
    eval_config = make_eval_config(config, classes, with_baseline=False)
    first = tfma.default_eval_shared_model(model_dirs[0], model_name=CANDIDATE, eval_config=eval_config)
    signature = eval_config.model_specs[0].signature_name
    _ = (
        pipeline
        | "Patterns" >> beam.Create(list(record_patterns))
        | "Read" >> beam.io.ReadAllFromTFRecord()
        | "Batch" >> beam.BatchElements(min_batch_size=config.batch_size, max_batch_size=config.batch_size)
        | "Predict" >> beam.ParDo(_PredictByFold(tuple(model_dirs), signature, config.confidence_intervals))
        | "Evaluate"
        >> tfma.ExtractEvaluateAndWriteResults(
            eval_shared_model=[first],
            eval_config=eval_config,
            extractors=[
                *family_extractors(config, classes, [CANDIDATE]),
                unbatch_extractor.UnbatchExtractor(),
                slice_key_extractor.SliceKeyExtractor(eval_config=eval_config),
            ],
            writers=result_writers(eval_config, {CANDIDATE: model_dirs[0]}, output_folder),
        )
    )


class _PredictByFold(beam.DoFn):
    """Batches of records → TFMA's extracts of each fold in it, with the predictions of the fold's model.

    One step for all folds: of separate ones, whose results are put together, Beam would hold all images in memory.
    """

    def __init__(self, model_dirs: tuple[str, ...], signature: str, intervals: bool) -> None:
        self._model_dirs = model_dirs
        self._signature = signature
        self._intervals = intervals
        self._shared = SharedModels(model_dirs)

    def setup(self) -> None:
        self._models = self._shared.acquire()

    def process(self, element: Sequence[bytes]) -> Iterator[dict[str, Any]]:
        folds: defaultdict[int, list[bytes]] = defaultdict(list)
        for record in element:
            folds[_fold_of(record, len(self._model_dirs))].append(record)
        for fold, records in sorted(folds.items()):
            outputs = self._models.call(self._model_dirs[fold - 1], self._signature, examples=tf.constant(records))
            extracts = _to_extracts_of_fold(records, fold, self._intervals)
            yield {**extracts, constants.PREDICTIONS_KEY: as_predictions(outputs)}


def _fold_of(record: bytes, folds: int) -> int:
    (fold,) = tf.train.Example.FromString(record).features.feature[FOLD].int64_list.value
    if not 1 <= fold <= folds:
        raise ValueError(f"a record is of fold {fold}, but there are {folds}")
    return int(fold)


def _to_extracts_of_fold(records: Sequence[bytes], fold: int, intervals: bool) -> dict[str, Any]:
    """Converts a batch of one fold to TFMA's extracts, with the fold as a slicing feature."""
    extracts = to_extracts(records, (), intervals)
    count = len(records)
    indices_N2 = np.stack([np.arange(count), np.zeros(count, np.int64)], axis=1)
    extracts[constants.FEATURES_KEY][slice_feature(FOLD_COLUMN)] = types.VarLenTensorValue(
        np.array([str(fold).encode()] * count, dtype=object), indices_N2, np.array([count, 1])
    )
    return extracts
