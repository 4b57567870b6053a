"""The Beam pipeline of an evaluation: records → the models' confusion counts → TFMA's sums on every slice."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow as tf
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis import constants
from tensorflow_model_analysis.api import types
from tensorflow_model_analysis.extractors import (
    extractor,
    slice_key_extractor,
    unbatch_extractor,
)
from tensorflow_model_analysis.proto import config_pb2
from tensorflow_model_analysis.writers import eval_config_writer, metrics_plots_and_validations_writer

from common.records import IMAGE_ID, MASK_ENCODED, slice_feature
from common.signatures import CONFUSION, MASK_BYTES, RELIABILITY
from components.evaluator import bootstrap
from components.evaluator.config import EvaluatorConfig
from components.evaluator.eval_config import BASELINE, make_eval_config
from components.evaluator.families.build import NOT_NEEDED, Families
from components.evaluator.families.family import Mask
from components.evaluator.loaded_models import Outputs, SharedModels
from components.evaluator.metrics import FAMILIES, FREQUENCIES_FEATURE
from components.transform.image_ops import decode_mask


def measure(
    pipeline: beam.Pipeline,
    record_patterns: Sequence[str],
    models: Mapping[str, str],
    shared: SharedModels,
    config: EvaluatorConfig,
    classes: Sequence[str],
    output_folder: str,
) -> None:
    """Adds the evaluation to `pipeline`; after the run, `estimates.read` reads the results from `output_folder`.

    Records are passed to the models as they are, and only slicing features are parsed: images are decoded in the
    models' graphs only, so memory is that of a batch.

    Args:
        pipeline: the pipeline to add to.
        record_patterns: globs of TFRecord files.
        models: folders of SavedModels by name, `eval_config.CANDIDATE` and perhaps `eval_config.BASELINE`.
        shared: the same models, which the workers load.
        config: what to measure.
        classes: names of the classes.
        output_folder: folder for TFMA's files.
    """
    eval_config = make_eval_config(config, classes, with_baseline=BASELINE in models)
    shared_models = [
        tfma.default_eval_shared_model(path, model_name=name, eval_config=eval_config) for name, path in models.items()
    ]
    features = [slice_feature(name) for name in config.slices]
    signature = eval_config.model_specs[0].signature_name
    _ = (
        pipeline
        | "Records" >> ReadRecords(record_patterns)
        | "Batch" >> beam.BatchElements(min_batch_size=config.batch_size, max_batch_size=config.batch_size)
        | "ParseSlices" >> beam.Map(to_extracts, features, config.confidence_intervals)
        | "Predict" >> beam.ParDo(_Predict(models, shared, signature))
        | "Evaluate"
        >> tfma.ExtractEvaluateAndWriteResults(
            eval_shared_model=shared_models,
            eval_config=eval_config,
            extractors=[
                *family_extractors(config, classes, list(models)),
                unbatch_extractor.UnbatchExtractor(),
                slice_key_extractor.SliceKeyExtractor(eval_config=eval_config),
            ],
            writers=result_writers(eval_config, models, output_folder),
        )
    )


class ReadRecords(beam.PTransform):
    """The records of all files that some globs match; compression is by a file's suffix."""

    def __init__(self, patterns: Sequence[str]) -> None:
        super().__init__()
        self._patterns = tuple(patterns)

    def expand(self, pbegin: beam.pvalue.PBegin) -> beam.PCollection[bytes]:
        """Adds a source for each glob."""
        records = [
            pbegin | f"Read[{index}]" >> beam.io.ReadFromTFRecord(pattern)
            for index, pattern in enumerate(self._patterns)
        ]
        return records | "Flatten" >> beam.Flatten(pipeline=pbegin.pipeline)


class _Predict(beam.DoFn):
    """Adds the models' outputs to the extracts of a batch, in the form of TFMA's `PredictionsExtractor`.

    That one calls a signature by position first.  TensorFlow refuses this with an error whose message prints the whole
    batch, and TFMA calls it by name then: of a small network on JPEGs of 256² a third of the calls' time.
    """

    def __init__(self, models: Mapping[str, str], shared: SharedModels, signature: str) -> None:
        self._models = dict(models)
        self._shared = shared
        self._signature = signature

    def setup(self) -> None:
        self._loaded = self._shared.acquire()

    def process(self, element: dict[str, Any]) -> Iterator[dict[str, Any]]:
        records_B = tf.constant(element[constants.INPUT_KEY])
        found = {
            name: as_predictions(self._loaded.call(folder, self._signature, examples=records_B))
            for name, folder in self._models.items()
        }
        predictions = found if len(found) > 1 else next(iter(found.values()))
        yield {**element, constants.PREDICTIONS_KEY: predictions}


def as_predictions(outputs: Outputs) -> Any:
    """Returns a model's outputs as TFMA has them under `predictions`: a single one without its name."""
    return outputs if len(outputs) > 1 else outputs[CONFUSION]


def family_extractors(
    config: EvaluatorConfig, classes: Sequence[str], model_names: list[str]
) -> list[extractor.Extractor]:
    """Returns what counts the further metrics on each image, if there are any; the masks go no further."""
    if not config.metrics:
        return []
    families = Families(config.metrics, classes)
    names = model_names if len(model_names) > 1 else None
    return [extractor.Extractor("CountFamilies", beam.Map(_with_family_counts, families, names))]


def _with_family_counts(
    extracts: dict[str, Any], families: Families, model_names: Sequence[str] | None
) -> dict[str, Any]:
    """Replaces the further outputs of a batch by their figures; TFMA names a model only beside another one."""
    spec = {MASK_ENCODED: tf.io.FixedLenFeature([], tf.string)}
    truth = tf.io.parse_example(extracts[constants.INPUT_KEY], spec)[MASK_ENCODED].numpy()
    predictions = extracts[constants.PREDICTIONS_KEY]

    def counted(outputs: Mapping[str, Any]) -> dict[str, Any]:
        reliability = outputs.get(RELIABILITY, itertools.repeat(NOT_NEEDED, len(truth)))
        each = zip(truth, outputs[MASK_BYTES], reliability, strict=True)
        counts = [families.count(_decode(true), _decode(predicted), sums) for true, predicted, sums in each]
        return {CONFUSION: outputs[CONFUSION], FAMILIES: np.stack(counts)}

    found = {name: counted(predictions[name]) for name in model_names} if model_names else counted(predictions)
    return {**extracts, constants.PREDICTIONS_KEY: found}


def _decode(mask: bytes) -> Mask:
    return decode_mask(mask).numpy()


def to_extracts(records: Sequence[bytes], slices: Sequence[str], intervals: bool) -> dict[str, Any]:
    """Converts a batch to TFMA's extracts: the records, and what slices and intervals need."""
    serialized = np.array(records, dtype=object)
    wanted = {name: tf.io.VarLenFeature(tf.string) for name in slices}
    parsed = tf.io.parse_example(serialized, {**wanted, IMAGE_ID: tf.io.FixedLenFeature([], tf.string)})
    ids = parsed.pop(IMAGE_ID).numpy()
    features: dict[str, Any] = {
        name: types.VarLenTensorValue(sparse.values.numpy(), sparse.indices.numpy(), sparse.dense_shape.numpy())
        for name, sparse in parsed.items()
    }
    if intervals:
        features[FREQUENCIES_FEATURE] = np.stack([bootstrap.frequencies(image_id) for image_id in ids])
    return {constants.INPUT_KEY: serialized, constants.FEATURES_KEY: features}


def result_writers(eval_config: config_pb2.EvalConfig, models: Mapping[str, str], folder: str) -> list[Any]:
    """Writers of metrics and configuration, without TFMA's verdict: ours is `metrics.json`."""
    return [
        eval_config_writer.EvalConfigWriter(folder, eval_config=eval_config, model_locations=dict(models)),
        metrics_plots_and_validations_writer.MetricsPlotsAndValidationsWriter(
            output_paths={constants.METRICS_KEY: f"{folder}/{constants.METRICS_KEY}"}, eval_config=eval_config
        ),
    ]
