"""Executor of the step `SegmentationEvaluator`."""

from __future__ import annotations

import dataclasses
import json
import os
from typing import Any

from tfx import types
from tfx.components.evaluator import constants
from tfx.dsl.components.base import base_beam_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import io_utils, path_utils

from common import progress
from common.errors import UserError
from components import component_keys as keys
from components.evaluator import baseline as baselines
from components.evaluator import estimates, measuring, verdict, wording
from components.evaluator.config import EvaluatorConfig
from components.evaluator.constant import constant_prediction
from components.evaluator.eval_config import BASELINE, CANDIDATE
from components.evaluator.families.names import metric_names, needed_outputs
from components.evaluator.loaded_models import SharedModels
from components.evaluator.reference import REFERENCE_FILE
from components.evaluator.reference_sample import MeasureReference, Sample
from components.evaluator.results import RESULTS_FILE, Evaluation, Measured, Verdict
from components.evaluator.thresholds import check_thresholds


class Executor(base_beam_executor.BaseBeamExecutor):
    """Evaluates the model and its baseline on the configured split, and blesses the model or not."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes TFMA's results, `metrics.json` and `reference.json` to the evaluation, the verdict to the blessing.

        Args:
            input_dict: `examples`, `model`, and optionally `baseline_model`, which may hold only the marker file.
            output_dict: `evaluation`, `blessing`.
            exec_properties: `evaluator_config` and `classes` as JSON; `code` is not read.

        Raises:
            UserError: a threshold names what does not exist, the configured split is missing or empty, or the
                model was not trained for the configured classes.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        config = EvaluatorConfig.model_validate_json(exec_properties[keys.EVALUATOR_CONFIG])
        classes = tuple(json.loads(exec_properties[keys.CLASSES]))
        check_thresholds(config, classes)

        model = artifact_utils.get_single_instance(input_dict[standard_component_specs.MODEL_KEY])
        baseline_models = input_dict.get(standard_component_specs.BASELINE_MODEL_KEY)
        baseline_model = artifact_utils.get_single_instance(baseline_models) if baseline_models else None
        folder = artifact_utils.get_single_uri(output_dict[standard_component_specs.EVALUATION_KEY])
        patterns = _record_patterns(input_dict[standard_component_specs.EXAMPLES_KEY], config.split)

        evaluation = self._evaluate(config, classes, patterns, model, baseline_model, folder)
        io_utils.write_string_file(os.path.join(folder, RESULTS_FILE), evaluation.model_dump_json(indent=1))
        if config.reference_images and not fileio.exists(os.path.join(folder, REFERENCE_FILE)):
            progress.report(f"the model answers no image of {config.split}: there is no reference distribution")
        blessing = artifact_utils.get_single_instance(output_dict[standard_component_specs.BLESSING_KEY])
        _bless(blessing, evaluation.verdict.blessed, model, baseline_model)
        progress.report(closing_line(evaluation))

    def _evaluate(
        self,
        config: EvaluatorConfig,
        classes: tuple[str, ...],
        patterns: list[str],
        model: types.Artifact,
        baseline_model: types.Artifact | None,
        folder: str,
    ) -> Evaluation:
        """Computes the metrics that are needed, and the verdict."""
        candidate_folder = path_utils.serving_model_path(model.uri)
        if not baselines.counts_classes(candidate_folder, len(classes)):
            raise UserError(
                f"the model was not trained for the {len(classes)} classes of data.classes: train it again."
            )
        needed = needed_outputs(config.metrics)
        if missing := baselines.missing_outputs(candidate_folder, needed):
            raise UserError(
                f"the model does not give {' and '.join(missing)} for evaluator.metrics: train it again with this "
                "segpipe."
            )
        baseline = baselines.find(baseline_model, candidate_folder, len(classes), needed) if baseline_model else None
        relation = baseline.relation if baseline else None

        models = {CANDIDATE: candidate_folder}
        if baseline and relation == "comparable":
            models[BASELINE] = baseline.model_folder
        measured = self._measure(patterns, models, config, classes, folder)
        reference = measured[CANDIDATE] if relation == "identical" else measured.get(BASELINE)
        if baseline and reference and not baselines.counts_alike(reference, measured[CANDIDATE]):
            baseline, reference = dataclasses.replace(baseline, relation="other sizes"), None
        judged = verdict.judge(config, measured[CANDIDATE], reference, baseline.version if baseline else None)
        if baseline and baseline.note:
            judged = judged.model_copy(update={"note": baseline.note})
        return summed_up(config.split, classes, measured[CANDIDATE], reference, judged)

    def _measure(
        self,
        patterns: list[str],
        models: dict[str, str],
        config: EvaluatorConfig,
        classes: tuple[str, ...],
        folder: str,
    ) -> dict[str, Measured]:
        shared = SharedModels(models.values())
        with self._make_beam_pipeline() as pipeline:
            measuring.measure(pipeline, patterns, models, shared, config, classes, folder)
            if config.reference_images and baselines.is_served(models[CANDIDATE]):
                sample = Sample(config.split, classes, config.reference_images, config.batch_size)
                reference = MeasureReference(patterns, models[CANDIDATE], shared, sample, folder)
                _ = pipeline | "Reference" >> reference
        names = {name: name if len(models) > 1 else "" for name in models}
        further = metric_names(config.metrics, classes)
        measured = {name: estimates.read(folder, classes, tfma_name, further) for name, tfma_name in names.items()}
        if any(model is None for model in measured.values()):
            raise UserError(
                f"the split {config.split} has no images to evaluate the model on: give it some in data.split."
            )
        return {name: model for name, model in measured.items() if model is not None}


def summed_up(
    split: str, classes: tuple[str, ...], candidate: Measured, baseline: Measured | None, judged: Verdict
) -> Evaluation:
    """Returns all metrics and the verdict, with the context that they must be read in."""
    overall = candidate.overall
    return Evaluation(
        split=split,
        classes=classes,
        candidate=candidate,
        baseline=baseline,
        verdict=judged,
        classes_without_pixels=overall.absent,
        classes_averaged=len(overall.averaged),
        constant_prediction=constant_prediction(list(overall.truth_pixels.values()), classes),
    )


def closing_line(evaluation: Evaluation) -> str:
    """One line: the mean IoU, whether the model is blessed, and the first reason if it is not."""
    failed = [check.detail for check in evaluation.verdict.checks if not check.passed]
    blessed = "yes" if evaluation.verdict.blessed else f"no: {failed[0]}"
    return f"{evaluation.split}: mean IoU {wording.mean_iou(evaluation)}, blessed: {blessed}"


def _record_patterns(examples: list[types.Artifact], split: str) -> list[str]:
    try:
        return [io_utils.all_files_pattern(uri) for uri in artifact_utils.get_split_uris(examples, split)]
    except ValueError as error:
        raise UserError(f"the data has no split {split}, which evaluator.split names.") from error


def _bless(
    blessing: types.Artifact, blessed: bool, model: types.Artifact, baseline_model: types.Artifact | None
) -> None:
    """Marks the artifact as TFX's Evaluator does, so that TFX's own components understand it."""
    value = constants.BLESSED_VALUE if blessed else constants.NOT_BLESSED_VALUE
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, value)
    blessing.set_string_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY, model.uri)
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY, model.id)
    if baseline_model is not None:
        blessing.set_string_custom_property(constants.ARTIFACT_PROPERTY_BASELINE_MODEL_URI_KEY, baseline_model.uri)
        blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BASELINE_MODEL_ID_KEY, baseline_model.id)
    names = (constants.NOT_BLESSED_FILE_NAME, constants.BLESSED_FILE_NAME)
    if fileio.exists(os.path.join(blessing.uri, names[1 - value])):
        fileio.remove(os.path.join(blessing.uri, names[1 - value]))
    io_utils.write_string_file(os.path.join(blessing.uri, names[value]), "")
