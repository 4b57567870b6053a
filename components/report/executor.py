"""Executor of the report: collects the steps' results, scores predictions, and writes the page."""

from __future__ import annotations

import datetime
import importlib.metadata
import itertools
import json
import os
import platform
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import tensorflow as tf
import yaml
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import io_utils, path_utils

from common import progress, records
from common.band_image import for_request
from common.git_commit import git_commit
from common.plurals import counted
from common.record_features import first_bytes, image_id, slices_of
from common.run_context import current_run
from common.signatures import MASK_BYTES, SERVING_DEFAULT
from components import component_keys as keys
from components.band_picture import viewable
from components.cross_validator.result import CROSS_VALIDATION_FILE, CrossValidation
from components.data_gate.result import GATE_FILE, GateReport
from components.evaluator.model_counts import count_batch
from components.evaluator.results import RESULTS_FILE, Evaluation
from components.example_gen.quarantine import QUARANTINE_FILE, SUMMARY_FILE, IngestionSummary, Quarantined
from components.pusher.result import PUSHED_FILE, PushResult
from components.report import dashboard, page, shown_predictions
from components.report.config import ReportConfig
from components.report.data import Provenance, ReportData, ShownPrediction, WorstOfClass
from components.report.lineage import LINEAGE_FILE, lineage
from components.report.sinks.config import SinksConfig
from components.report.sinks.sending import send
from components.serving_check.result import RESULT_FILE as SERVING_FILE
from components.serving_check.result import ServingCheckResult
from components.trainer.history import HISTORY_FILE, TrainingHistory
from registry.exports import EXPORTS_FILE, Exports

_QUARANTINED_SHOWN = 50
_SCORING_BATCH = 8
_SHOWN_BY_CLASS = 60  # images at most, so that the page is not large
_BYTES_OF_IMAGES = 4_000_000  # of all data URIs; with the rest, the page has at most 5 MB
_PACKAGES = ("segpipe", "tensorflow", "tf-keras", "tfx", "tensorflow-model-analysis", "apache-beam", "numpy")

Artifacts = dict[str, list[types.Artifact]]


class Executor(base_executor.BaseExecutor):
    """Writes the page, and the outputs for Kubeflow's dashboard."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        """Writes the report.

        Args:
            input_dict: see `component.RunReportSpec`; `exported_model`, `infra_blessing` and `pushed_model` may be
                missing, and either `model_run` or `cross_validation` is.
            output_dict: see `component.RunReport`.
            exec_properties: `run_config`, the whole configuration as JSON; `code`, the digest of the code.
        """
        run_config = json.loads(exec_properties[keys.RUN_CONFIG])
        evaluation = Evaluation.model_validate_json(_read(input_dict, keys.EVALUATION, RESULTS_FILE))
        settings = ReportConfig.model_validate(run_config.get("report", {}))
        shown = _predictions(input_dict, evaluation, settings)
        run = current_run()
        cross_validation = _cross_validation(input_dict)
        data = ReportData(
            name=run_config["name"],
            created=datetime.datetime.now(datetime.timezone.utc),
            ingestion=IngestionSummary.model_validate_json(_read(input_dict, keys.QUARANTINE, SUMMARY_FILE)),
            quarantined=_quarantined(os.path.join(_uri(input_dict, keys.QUARANTINE), QUARANTINE_FILE)),
            gate=GateReport.model_validate_json(_read(input_dict, keys.GATE, GATE_FILE)),
            trainings=_trainings(input_dict, cross_validation),
            evaluation=evaluation,
            exports=_exports(input_dict),
            serving=ServingCheckResult.model_validate_json(_read(input_dict, keys.INFRA_BLESSING, SERVING_FILE))
            if input_dict.get(keys.INFRA_BLESSING)
            else None,
            push=PushResult.model_validate_json(_read(input_dict, keys.PUSHED_MODEL, PUSHED_FILE))
            if input_dict.get(keys.PUSHED_MODEL)
            else None,
            best=shown.best,
            worst=shown.worst,
            scored=shown.scored,
            config=yaml.safe_dump(run_config, sort_keys=False, allow_unicode=True),
            software=_software(exec_properties.get(keys.CODE)),
            cross_validation=cross_validation,
            worst_by_class=shown.worst_by_class,
            steps=tuple(run.steps) if run else (),
            provenance=Provenance(
                command=shlex.join(run.command) if run and run.command else None,
                commit=git_commit(),
                seed=run_config.get("seed"),
            ),
        )
        path = os.path.join(artifact_utils.get_single_uri(output_dict[keys.REPORT]), page.REPORT_FILE)
        io_utils.write_string_file(path, page.render(data))
        _write_dashboard(output_dict, data)
        _write_lineage(input_dict, output_dict, run_config)
        progress.report(f"report: {path}")
        _send(input_dict, data, run_config, path)


def _send(input_dict: Artifacts, data: ReportData, run_config: dict[str, Any], report: str) -> None:
    sinks = SinksConfig.model_validate(run_config.get("sinks", {}))
    documents = {
        page.REPORT_FILE: report,
        RESULTS_FILE: os.path.join(_uri(input_dict, keys.EVALUATION), RESULTS_FILE),
    }
    send(sinks, data, run_config, documents, path_utils.serving_model_path(_uri(input_dict, keys.MODEL)))


def _cross_validation(input_dict: Artifacts) -> CrossValidation | None:
    if not input_dict.get(keys.CROSS_VALIDATION):
        return None
    return CrossValidation.model_validate_json(_read(input_dict, keys.CROSS_VALIDATION, CROSS_VALIDATION_FILE))


def _exports(input_dict: Artifacts) -> Exports | None:
    if not input_dict.get(keys.EXPORTED_MODEL):
        return None
    folder = path_utils.serving_model_path(_uri(input_dict, keys.EXPORTED_MODEL))
    with fileio.open(os.path.join(folder, EXPORTS_FILE), "r") as opened:
        return Exports.model_validate_json(opened.read())


def _trainings(input_dict: Artifacts, cross_validation: CrossValidation | None) -> tuple[TrainingHistory, ...]:
    """Returns the history of the training, or of that of each fold."""
    if cross_validation:
        return tuple(fold.history for fold in cross_validation.folds)
    return (TrainingHistory.model_validate_json(_read(input_dict, keys.MODEL_RUN, HISTORY_FILE)),)


def _write_dashboard(output_dict: Artifacts, data: ReportData) -> None:
    metrics = artifact_utils.get_single_instance(output_dict[keys.METRICS])
    results = data.evaluation.model_dump_json(indent=1)
    io_utils.write_string_file(os.path.join(metrics.uri, RESULTS_FILE), results)
    for name, value in dashboard.figures(data.evaluation).items():
        metrics.set_float_custom_property(name, value)
    matrix = artifact_utils.get_single_instance(output_dict[keys.CONFUSION_MATRIX])
    matrix.set_json_value_custom_property(dashboard.CONFUSION_PROPERTY, dashboard.confusion_matrix(data.evaluation))
    folder = artifact_utils.get_single_uri(output_dict[keys.SUMMARY])
    io_utils.write_string_file(os.path.join(folder, dashboard.SUMMARY_FILE), dashboard.summary(data))


def _write_lineage(input_dict: Artifacts, output_dict: Artifacts, run_config: Mapping[str, Any]) -> None:
    folder = artifact_utils.get_single_uri(output_dict[keys.LINEAGE])
    inputs = {key: _uri(input_dict, key) for key, artifacts in input_dict.items() if artifacts}
    text = lineage(run_config, inputs, folder).model_dump_json(indent=1)
    io_utils.write_string_file(os.path.join(folder, LINEAGE_FILE), text)


class _Predictions(NamedTuple):
    best: tuple[ShownPrediction, ...] = ()
    worst: tuple[ShownPrediction, ...] = ()
    worst_by_class: tuple[WorstOfClass, ...] = ()
    scored: int = 0  # images


def _predictions(input_dict: Artifacts, evaluation: Evaluation, settings: ReportConfig) -> _Predictions:
    """Scores the images one by one, and draws the best and worst, and the worst of each class."""
    if not settings.scored or not settings.best + settings.worst + settings.worst_of_class:
        return _Predictions()
    files = _record_files(artifact_utils.get_split_uri(input_dict[keys.EXAMPLES], evaluation.split))
    model = tf.saved_model.load(path_utils.serving_model_path(_uri(input_dict, keys.MODEL)))
    scored = list(_score(model, _serialized(files, settings.scored), len(evaluation.classes)))
    best, worst = shown_predictions.choose(scored, settings.best, settings.worst)
    by_class = shown_predictions.worst_by_class(scored, settings.worst_of_class, _SHOWN_BY_CLASS)
    of_classes = (each.scored for found in by_class.values() for each in found)
    chosen = {each.index: each for each in (*best, *worst, *of_classes)}
    drawn = _draw(model, _serialized(files, settings.scored), chosen, settings.thumbnail)
    return _Predictions(
        best=tuple(drawn[each.index] for each in best),
        worst=tuple(drawn[each.index] for each in worst),
        worst_by_class=tuple(
            WorstOfClass(index, tuple((drawn[each.scored.index], each.iou) for each in found))
            for index, found in by_class.items()
        ),
        scored=len(scored),
    )


def _score(model: Any, serialized: Iterable[bytes], num_classes: int) -> Iterator[shown_predictions.Scored]:
    """Yields the score of each record with pixels that are not void."""
    numbered = enumerate(serialized)
    while batch := list(itertools.islice(numbered, _SCORING_BATCH)):
        counts = count_batch(model, [record for _, record in batch], num_classes)
        for (index, _), counts_CC in zip(batch, counts, strict=True):
            if scored := shown_predictions.score(index, counts_CC):
                yield scored
        progress.update(f"report: {counted(batch[-1][0] + 1, 'image')} scored")


def _draw(
    model: Any, serialized: Iterable[bytes], chosen: Mapping[int, shown_predictions.Scored], longer_side: int
) -> dict[int, ShownPrediction]:
    """Returns the chosen records as images, by index.  They are read again, so that not all are held in memory."""
    predict = model.signatures[SERVING_DEFAULT]
    drawn = {}
    for index, record in enumerate(serialized):
        if index not in chosen:
            continue
        features = tf.train.Example.FromString(record).features.feature
        image = first_bytes(features, records.IMAGE_ENCODED)
        drawn[index] = shown_predictions.draw(
            identity=image_id(features),
            slices=slices_of(features),
            scored=chosen[index],
            image=viewable(image),
            truth=first_bytes(features, records.MASK_ENCODED),
            prediction=predict(image=tf.constant([for_request(image)]))[MASK_BYTES].numpy()[0],
            longer_side=longer_side,
            most_bytes=_BYTES_OF_IMAGES // len(chosen),
        )
    return drawn


def _record_files(folder: str) -> list[str]:
    files = sorted(fileio.glob(os.path.join(folder, "*")))
    if not files:
        raise FileNotFoundError(f"{folder} holds no records")
    return files


def _serialized(files: Sequence[str], limit: int) -> Iterator[bytes]:
    """The first `limit` records, in the order of the files."""
    return tf.data.TFRecordDataset(files).take(limit).as_numpy_iterator()


def _quarantined(path: str) -> tuple[Quarantined, ...]:
    """The first pairs of the quarantine."""
    with fileio.open(path, "r") as lines:
        return tuple(Quarantined.model_validate_json(line) for line in itertools.islice(lines, _QUARANTINED_SHOWN))


def _uri(input_dict: Artifacts, key: str) -> str:
    return artifact_utils.get_single_uri(input_dict[key])


def _read(input_dict: Artifacts, key: str, file: str) -> str:
    with fileio.open(os.path.join(_uri(input_dict, key), file), "r") as opened:
        return opened.read()


def _software(code: str | None) -> dict[str, str]:
    """Returns the versions of the packages in use, except those that are not installed."""
    versions = {"Python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {**versions, "code": code[:12]} if code else versions
