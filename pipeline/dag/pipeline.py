"""The TFX pipeline: its steps and the data flow between them.

It is independent of the runner; `pipeline/local/run.py` runs it on this machine.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from tfx import types
from tfx.components.example_validator.component import ExampleValidator
from tfx.components.statistics_gen.component import StatisticsGen
from tfx.components.trainer.component import Trainer
from tfx.dsl.components.base.base_node import BaseNode
from tfx.proto import trainer_pb2

from components import component_keys as keys
from components.baseline.component import Baseline
from components.batch_predictor.component import BatchPredictor
from components.cross_validator.component import CrossValidator
from components.data_gate.component import DataGate
from components.ensemble.component import Ensemble
from components.evaluator.component import SegmentationEvaluator
from components.example_gen.component import ImageMaskExampleGen
from components.exporter.component import FormatExporter
from components.pusher.component import RegistryPusher
from components.report.component import RunReport
from components.schema_importer.component import SchemaImporter
from components.serving_check.component import ServingCheck
from components.statistics import stats_options
from components.trainer.component import FoldTrainer
from components.trainer.config import BLESSED
from components.transform.component import Transform
from components.tuner.component import HyperbandTuner
from pipeline.config.run_config import RunConfig
from pipeline.dag.code_digest import code_digest
from pipeline.dag.parameters import RunValues, bands_of, run_values
from pipeline.dag.run_state import RunState
from pipeline.dag.schema_file import read_schema, with_folds
from pipeline.dag.steps import (
    BASELINE,
    BATCH_PREDICTOR,
    CROSS_VALIDATOR,
    DATA_GATE,
    ENSEMBLE,
    EVALUATOR,
    EXAMPLE_GEN,
    EXPORTER,
    PUSHER,
    REPORT,
    SCHEMA_IMPORTER,
    SERVING_CHECK,
    TRANSFORM,
    trainers_of,
)

_RUN_FN = "components.trainer.run.run_fn"


class DataSteps(NamedTuple):
    """Steps from the data source to the data gate."""

    ingestion: ImageMaskExampleGen
    schema: SchemaImporter
    statistics: StatisticsGen
    validator: ExampleValidator
    gate: DataGate


class FoldSteps(NamedTuple):
    """Steps of a cross-validation: a training for each fold, their metrics, and the average of their models."""

    trainers: tuple[FoldTrainer, ...]
    cross_validator: CrossValidator
    ensemble: Ensemble


class ModelSteps(NamedTuple):
    """Steps from records to a model: one training, or one for each fold."""

    transform: Transform
    search: HyperbandTuner | None
    trainer: Trainer | None
    folds: FoldSteps | None

    @property
    def last(self) -> Trainer | Ensemble:
        """The step whose model is evaluated and pushed."""
        last = self.trainer or (self.folds and self.folds.ensemble)
        assert last is not None, "either one training, or one for each fold"
        return last

    @property
    def model(self) -> types.BaseChannel:
        """The model that is evaluated and pushed."""
        return self.last.outputs["model"]

    def in_order(self) -> list[BaseNode | None]:
        """Returns all steps, as the pipeline runs them."""
        of_folds = [*self.folds.trainers, self.folds.cross_validator, self.folds.ensemble] if self.folds else []
        return [self.transform, self.search, self.trainer, *of_folds]


class ReleaseSteps(NamedTuple):
    """Steps from a model to a served version."""

    evaluator: SegmentationEvaluator
    exporter: FormatExporter | None
    serving_check: ServingCheck | None
    pusher: RegistryPusher
    report: RunReport
    batch_predictor: BatchPredictor | None


def create_steps(config: RunConfig, state: RunState) -> list[BaseNode]:
    """Returns all steps of the pipeline, each connected to its inputs.

    Raises:
        UserError: the curated schema does not exist or cannot be read.
    """
    values = run_values(config, state)
    data = _data_steps(config, values)
    baseline = Baseline(registry=config.registry_uri, registry_state=values.registry_state, code=code_digest(BASELINE))
    model = _model_steps(config, values, data, baseline)
    # If training does not need the baseline, it is fetched only afterwards.
    baseline.add_upstream_node(data.gate if config.trainer.warm_start == BLESSED else model.last)
    release = _release_steps(config, values, data, model, baseline)
    return [step for step in (*data, *model.in_order(), baseline, *release) if step is not None]


def _data_steps(config: RunConfig, values: RunValues) -> DataSteps:
    schema_text = with_folds(read_schema(config.schema_file), config.data.split.folds)
    ingestion = ImageMaskExampleGen(
        data_config=values.data_config,
        seed=config.seed,
        data_fingerprint=values.data_fingerprint,
        code=code_digest(EXAMPLE_GEN),
    )
    schema = SchemaImporter(schema_text=schema_text, code=code_digest(SCHEMA_IMPORTER))
    statistics = StatisticsGen(examples=ingestion.outputs["examples"], stats_options=stats_options())
    validator = ExampleValidator(statistics=statistics.outputs["statistics"], schema=schema.outputs["schema"])
    gate = DataGate(
        statistics=statistics.outputs["statistics"],
        anomalies=validator.outputs["anomalies"],
        schema=schema.outputs["schema"],
        quarantine=ingestion.outputs["quarantine"],
        validation_config=config.validation.model_dump_json(by_alias=True),
        registry=config.registry_uri,
        drift_baseline=values.drift_baseline,
        code=code_digest(DATA_GATE),
    )
    return DataSteps(ingestion, schema, statistics, validator, gate)


def _model_steps(config: RunConfig, values: RunValues, data: DataSteps, baseline: Baseline) -> ModelSteps:
    transform = Transform(
        examples=data.ingestion.outputs["examples"],
        schema=data.schema.outputs["schema"],
        preprocessing_fn="components.transform.preprocessing.preprocessing_fn",
        custom_config={
            keys.TRANSFORM: config.transform.model_dump_json(),
            "num_classes": len(config.data.classes),
            **bands_of(config.data),
            **({keys.SLICE_COLUMN: column} if (column := config.trainer.windows.column) else {}),
            "code": code_digest(TRANSFORM),
        },
        disable_statistics=True,
        disable_analyzer_cache=True,  # No step reads it, and to write it costs a trace and a dozen stages of Beam.
    )
    transform.add_upstream_node(data.gate)
    records = {
        "examples": transform.outputs["transformed_examples"],
        "transform_graph": transform.outputs["transform_graph"],
    }
    inputs = {
        **records,
        "base_model": baseline.outputs["model"] if config.trainer.warm_start == BLESSED else None,
        "train_args": trainer_pb2.TrainArgs(),
        "eval_args": trainer_pb2.EvalArgs(),
    }
    search = None
    if config.tuner:
        settings = json.loads(values.search_settings)
        search = HyperbandTuner(tuner_fn="components.tuner.run.tuner_fn", custom_config=settings, **inputs)
    chosen = search.outputs["best_hyperparameters"] if search else None
    if config.data.split.folds:
        folds = _fold_steps(config, values, data, {**records, "hyperparameters": chosen}, config.data.split.folds)
        return ModelSteps(transform, search, None, folds)
    settings = json.loads(values.trainer_settings)
    trainer = Trainer(run_fn=_RUN_FN, hyperparameters=chosen, custom_config=settings, **inputs)
    return ModelSteps(transform, search, trainer, None)


def _fold_steps(
    config: RunConfig, values: RunValues, data: DataSteps, inputs: Mapping[str, Any], folds: int
) -> FoldSteps:
    """Returns the steps of a cross-validation.

    The trainings do not depend on each other: on a cluster they run at the same time.
    """
    settings = json.loads(values.trainer_settings)
    trainers = tuple(
        FoldTrainer(fold=fold, run_fn=_RUN_FN, custom_config=settings, **inputs).with_id(step.component)
        for fold, step in enumerate(trainers_of(folds), 1)
    )
    models = [trainer.outputs["model"] for trainer in trainers]
    cross_validator = CrossValidator(
        examples=data.ingestion.outputs["examples"],
        models=models,
        model_runs=[trainer.outputs["model_run"] for trainer in trainers],
        config=config.evaluator,
        classes=config.data.classes,
        code=code_digest(CROSS_VALIDATOR),
    )
    ensemble = Ensemble(models=models, trainer_settings=values.trainer_settings, code=code_digest(ENSEMBLE), **inputs)
    return FoldSteps(trainers, cross_validator, ensemble)


def _release_steps(
    config: RunConfig, values: RunValues, data: DataSteps, model: ModelSteps, baseline: Baseline
) -> ReleaseSteps:
    evaluator = SegmentationEvaluator(
        examples=data.ingestion.outputs["examples"],
        model=model.model,
        baseline_model=baseline.outputs["model"],
        config=config.evaluator,
        classes=config.data.classes,
        code=code_digest(EVALUATOR),
    )
    exporter = _exporter(config, values, data, model)
    exported = exporter.outputs["exported_model"] if exporter else model.model
    check = _serving_check(config, values, data, exported)
    for step in (exporter, check):
        if step:
            step.add_upstream_node(evaluator)
    pusher = RegistryPusher(
        model=check.outputs["checked_model"] if check else exported,
        infra_blessing=check.outputs["blessing"] if check else None,
        blessing=evaluator.outputs["blessing"],
        evaluation=evaluator.outputs["evaluation"],
        quarantine=data.ingestion.outputs["quarantine"],
        registry=config.registry_uri,
        registry_state=values.registry_state,
        holdings_state=values.holdings_state,
        run_config=values.run_config,
        model_name=config.name,
        code=code_digest(PUSHER),
    )
    report = RunReport(
        examples=data.ingestion.outputs["examples"],
        quarantine=data.ingestion.outputs["quarantine"],
        gate=data.gate.outputs["gate"],
        model_run=model.trainer.outputs["model_run"] if model.trainer else None,
        cross_validation=model.folds.cross_validator.outputs["cross_validation"] if model.folds else None,
        model=model.model,
        evaluation=evaluator.outputs["evaluation"],
        exported_model=exporter.outputs["exported_model"] if exporter else None,
        infra_blessing=check.outputs["blessing"] if check else None,
        pushed_model=pusher.outputs["pushed_model"],
        run_config=values.run_config,
        code=code_digest(REPORT),
    )
    batch_predictor = _batch_predictor(config, pusher)
    if batch_predictor:
        batch_predictor.add_upstream_node(report)  # If it fails, the report is written.
    return ReleaseSteps(evaluator, exporter, check, pusher, report, batch_predictor)


def _batch_predictor(config: RunConfig, pusher: RegistryPusher) -> BatchPredictor | None:
    if config.batch_prediction is None:
        return None
    return BatchPredictor(
        pushed_model=pusher.outputs["pushed_model"],
        config=config.batch_prediction.with_absolute_paths(),
        registry=config.registry_uri,
        code=code_digest(BATCH_PREDICTOR),
    )


def _exporter(config: RunConfig, values: RunValues, data: DataSteps, model: ModelSteps) -> FormatExporter | None:
    if not config.export.converted:
        return None
    return FormatExporter(
        examples=data.ingestion.outputs["examples"],
        model=model.model,
        config=config.export,
        trainer_settings=values.trainer_settings,
        seed=config.seed,
        code=code_digest(EXPORTER),
    )


def _serving_check(
    config: RunConfig, values: RunValues, data: DataSteps, model: types.BaseChannel
) -> ServingCheck | None:
    if config.serving_check is None:
        return None
    return ServingCheck(
        examples=data.ingestion.outputs["examples"],
        model=model,
        config=config.serving_check,
        trainer_settings=values.trainer_settings,
        model_name=config.name,
        code=code_digest(SERVING_CHECK),
    )
