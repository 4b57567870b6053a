"""The pipeline, authored once: which steps there are, and what flows between them.

Nothing here knows where it runs; `pipeline/local.py` binds it to this machine.
"""

from __future__ import annotations

from typing import NamedTuple

from tfx.components.example_validator.component import ExampleValidator
from tfx.components.statistics_gen.component import StatisticsGen
from tfx.components.trainer.component import Trainer
from tfx.components.transform.component import Transform
from tfx.dsl.components.base.base_node import BaseNode
from tfx.proto import trainer_pb2

from components.baseline.component import Baseline
from components.data_gate.component import DataGate
from components.errors import UserError
from components.evaluator.component import SegmentationEvaluator
from components.example_gen.component import ImageMaskExampleGen
from components.pusher.component import RegistryPusher
from components.report.component import RunReport
from components.schema_importer.component import SchemaImporter
from components.statistics import stats_options
from components.trainer.losses.config import given_class_weights
from components.trainer.warm_start import BLESSED, NONE, exported_state
from pipeline.code_digest import code_digest
from pipeline.config import RunConfig
from pipeline.found import Found


class DataSteps(NamedTuple):
    """From the data source to the gate."""

    ingestion: ImageMaskExampleGen
    schema: SchemaImporter
    statistics: StatisticsGen
    validator: ExampleValidator
    gate: DataGate


class ModelSteps(NamedTuple):
    """From records to a model."""

    transform: Transform
    trainer: Trainer


class ReleaseSteps(NamedTuple):
    """From a model to a version that is served."""

    evaluator: SegmentationEvaluator
    pusher: RegistryPusher
    report: RunReport


def create_steps(config: RunConfig, found: Found) -> list[BaseNode]:
    """All steps of the pipeline, each wired to those before it.

    Raises:
        UserError: the curated schema does not exist, or the model to begin with does not.
    """
    data = _data_steps(config, found)
    baseline = Baseline(registry=config.registry_uri, registry_state=found.registry_state, code=code_digest("baseline"))
    model = _model_steps(config, found, data, baseline)
    # What is not needed before the training is not fetched before it either.
    baseline.add_upstream_node(data.gate if config.trainer.warm_start == BLESSED else model.trainer)
    return [*data, *model, baseline, *_release_steps(config, found, data, model, baseline)]


def _data_steps(config: RunConfig, found: Found) -> DataSteps:
    if not config.schema_file.exists():
        raise UserError(
            f"the curated schema {config.schema_file} does not exist; write a first one with "
            "`segpipe schema infer` and the same configuration, read it, and correct it"
        )
    ingestion = ImageMaskExampleGen(
        data_config=config.data.model_dump_json(),
        seed=config.seed,
        data_fingerprint=found.data_fingerprint,
        code=code_digest("example_gen"),
    )
    schema = SchemaImporter(schema_text=config.schema_file.read_text())
    statistics = StatisticsGen(examples=ingestion.outputs["examples"], stats_options=stats_options())
    validator = ExampleValidator(statistics=statistics.outputs["statistics"], schema=schema.outputs["schema"])
    gate = DataGate(
        statistics=statistics.outputs["statistics"],
        anomalies=validator.outputs["anomalies"],
        schema=schema.outputs["schema"],
        quarantine=ingestion.outputs["quarantine"],
        validation_config=config.validation.model_dump_json(by_alias=True),
        registry=config.registry_uri,
        drift_baseline=found.drift_baseline,
        code=code_digest("data_gate"),
    )
    return DataSteps(ingestion, schema, statistics, validator, gate)


def _model_steps(config: RunConfig, found: Found, data: DataSteps, baseline: Baseline) -> ModelSteps:
    warm_start = config.trainer.warm_start
    transform = Transform(
        examples=data.ingestion.outputs["examples"],
        schema=data.schema.outputs["schema"],
        preprocessing_fn="components.transform.preprocessing.preprocessing_fn",
        custom_config={
            "transform": config.transform.model_dump_json(),
            "num_classes": len(config.data.classes),
            "code": code_digest("transform"),
        },
        disable_statistics=True,
    )
    transform.add_upstream_node(data.gate)
    trainer = Trainer(
        run_fn="components.trainer.run.run_fn",
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        base_model=baseline.outputs["model"] if warm_start == BLESSED else None,
        train_args=trainer_pb2.TrainArgs(),
        eval_args=trainer_pb2.EvalArgs(),
        custom_config={
            "trainer": config.trainer.model_dump_json(),
            "transform": config.transform.model_dump_json(),
            "classes": list(config.data.classes),
            "seed": config.seed,
            "class_weight": given_class_weights(config.trainer.class_weights, config.data.classes),
            "resume_root": found.resume_root,
            "encoder_weights": found.encoder_weights,
            "initial_model": "" if warm_start in (NONE, BLESSED) else exported_state(warm_start),
            "code": code_digest("trainer"),
        },
    )
    return ModelSteps(transform, trainer)


def _release_steps(
    config: RunConfig, found: Found, data: DataSteps, model: ModelSteps, baseline: Baseline
) -> ReleaseSteps:
    # Where a model was made says nothing of it.
    run_config = config.model_dump_json(by_alias=True, exclude={"kubeflow"})
    evaluator = SegmentationEvaluator(
        examples=data.ingestion.outputs["examples"],
        model=model.trainer.outputs["model"],
        baseline_model=baseline.outputs["model"],
        config=config.evaluator,
        classes=config.data.classes,
        code=code_digest("evaluator"),
    )
    pusher = RegistryPusher(
        model=model.trainer.outputs["model"],
        blessing=evaluator.outputs["blessing"],
        evaluation=evaluator.outputs["evaluation"],
        quarantine=data.ingestion.outputs["quarantine"],
        registry=config.registry_uri,
        registry_state=found.registry_state,
        holdings_state=found.holdings_state,
        run_config=run_config,
        model_name=config.name,
        code=code_digest("pusher"),
    )
    report = RunReport(
        examples=data.ingestion.outputs["examples"],
        quarantine=data.ingestion.outputs["quarantine"],
        gate=data.gate.outputs["gate"],
        model_run=model.trainer.outputs["model_run"],
        model=model.trainer.outputs["model"],
        evaluation=evaluator.outputs["evaluation"],
        pushed_model=pusher.outputs["pushed_model"],
        run_config=run_config,
        code=code_digest("report"),
    )
    return ReleaseSteps(evaluator, pusher, report)
