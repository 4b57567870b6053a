"""Table of the pipeline's steps: all facts about a step that are needed outside its own folder.

A new step gets its folder in `components/`, a record here, and its place in `pipeline/dag/pipeline.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from common.records import MAX_FOLDS
from components import component_keys as keys


@dataclass(frozen=True)
class StepSpec:
    """What the runners, the cache and the user interface know about a step.

    Attributes:
        component: Id of the TFX component in the DAG, which is its class name unless there are several of the class.
        display_name: Name shown on the console and in the dashboard.
        entry_points: Modules of this project that the step runs; its code digest covers their import closure. Empty for
            a standard TFX step.
        run_values: Run-time parameters: parameter of the component → field of `parameters.RunValues`.
        paths: Configuration keys that may be a path that the step opens in its pod.
        on_beam: Whether the step is a Beam pipeline, which `beam` in the configuration places.
        cached: Whether an equal earlier execution takes the step's place; not for a step that reads what no parameter
            names.
    """

    component: str
    display_name: str
    entry_points: tuple[str, ...] = ()
    run_values: Mapping[str, str] = field(default_factory=dict)
    paths: tuple[str, ...] = ()
    on_beam: bool = False
    cached: bool = True

    @property
    def task(self) -> str:
        """Task name on a cluster: `DataGate` → `data-gate`, `TrainerFold2` → `trainer-fold-2`."""
        return re.sub(r"(?<=[a-z])(?=[A-Z0-9])|(?<=[0-9])(?=[A-Z])", "-", self.component).lower()


DATA_PATHS = ("data.source.root", "data.source.data_dir")
REGISTRY_PATHS = ("registry",)
INITIAL_WEIGHTS_PATHS = ("trainer.warm_start", "trainer.model.encoder.weights")
_TRAINING_PATHS = (*INITIAL_WEIGHTS_PATHS, "kubeflow.resume_dir")

EXAMPLE_GEN = StepSpec(
    "ImageMaskExampleGen",
    "Ingest pairs",
    entry_points=("components.example_gen.executor",),
    run_values={keys.DATA_CONFIG: "data_config", keys.DATA_FINGERPRINT: "data_fingerprint"},
    paths=DATA_PATHS,
    on_beam=True,
)
SCHEMA_IMPORTER = StepSpec("SchemaImporter", "Import schema", entry_points=("components.schema_importer.executor",))
STATISTICS_GEN = StepSpec("StatisticsGen", "Compute statistics", on_beam=True)
EXAMPLE_VALIDATOR = StepSpec("ExampleValidator", "Validate examples")
DATA_GATE = StepSpec(
    "DataGate",
    "Data gate",
    entry_points=("components.data_gate.executor",),
    run_values={keys.DRIFT_BASELINE: "drift_baseline"},
    paths=REGISTRY_PATHS,
)
TRANSFORM = StepSpec(
    "Transform",
    "Transform",
    entry_points=("components.transform.executor", "components.transform.preprocessing"),
    on_beam=True,
)
TUNER = StepSpec(
    "HyperbandTuner",
    "Search",
    entry_points=("components.tuner.executor", "components.tuner.run"),
    run_values={keys.CUSTOM_CONFIG: "search_settings"},
    paths=_TRAINING_PATHS,
)
TRAINER = StepSpec(
    "Trainer",
    "Train",
    entry_points=("components.trainer.run", "components.trainer.executor"),
    run_values={keys.CUSTOM_CONFIG: "trainer_settings"},
    paths=_TRAINING_PATHS,
)
FOLD_TRAINERS = tuple(
    replace(TRAINER, component=f"{TRAINER.component}Fold{fold}", display_name=f"Train fold {fold}")
    for fold in range(1, MAX_FOLDS + 1)
)
"""The Trainers of a cross-validation, from fold 1; they take the place of `TRAINER`."""
CROSS_VALIDATOR = StepSpec(
    "CrossValidator", "Evaluate folds", entry_points=("components.cross_validator.executor",), on_beam=True
)
ENSEMBLE = StepSpec(
    "Ensemble",
    "Average models",
    entry_points=("components.ensemble.executor",),
    run_values={keys.TRAINER_SETTINGS: "trainer_settings"},
)
BASELINE = StepSpec(
    "Baseline",
    "Fetch baseline",
    entry_points=("components.baseline.executor",),
    run_values={keys.REGISTRY_STATE: "registry_state"},
    paths=REGISTRY_PATHS,
)
EVALUATOR = StepSpec("SegmentationEvaluator", "Evaluate", entry_points=("components.evaluator.executor",), on_beam=True)
EXPORTER = StepSpec(
    "FormatExporter",
    "Export formats",
    entry_points=("components.exporter.executor",),
    run_values={keys.TRAINER_SETTINGS: "trainer_settings"},
)
SERVING_CHECK = StepSpec(
    "ServingCheck",
    "Check serving",
    # The serving check starts the server as a program, `python -m serving`.
    entry_points=("components.serving_check.executor", "serving.__main__"),
    run_values={keys.TRAINER_SETTINGS: "trainer_settings"},
)
PUSHER = StepSpec(
    "RegistryPusher",
    "Push",
    entry_points=("components.pusher.executor",),
    run_values={
        keys.REGISTRY_STATE: "registry_state",
        keys.HOLDINGS_STATE: "holdings_state",
        keys.RUN_CONFIG: "run_config",
    },
    paths=REGISTRY_PATHS,
)
REPORT = StepSpec(
    "RunReport",
    "Write report",
    entry_points=("components.report.executor",),
    run_values={keys.RUN_CONFIG: "run_config"},
)
BATCH_PREDICTOR = StepSpec(
    "BatchPredictor",
    "Predict a batch",
    entry_points=("components.batch_predictor.executor",),
    paths=(*REGISTRY_PATHS, "batch_prediction.source.root", "batch_prediction.out"),
    on_beam=True,
    cached=False,
)

STEPS = (
    EXAMPLE_GEN,
    SCHEMA_IMPORTER,
    STATISTICS_GEN,
    EXAMPLE_VALIDATOR,
    DATA_GATE,
    TRANSFORM,
    TUNER,
    TRAINER,
    *FOLD_TRAINERS,
    CROSS_VALIDATOR,
    ENSEMBLE,
    BASELINE,
    EVALUATOR,
    EXPORTER,
    SERVING_CHECK,
    PUSHER,
    REPORT,
    BATCH_PREDICTOR,
)
"""All steps, in the order of the pipeline."""


def trainers_of(folds: int | None) -> tuple[StepSpec, ...]:
    """Returns the trainings of a pipeline: one, or that of each fold."""
    return FOLD_TRAINERS[:folds] if folds else (TRAINER,)


_BY_COMPONENT = {step.component: step for step in STEPS}


def step_of(component: str) -> StepSpec:
    """Returns the record of a component.

    Raises:
        ValueError: the table does not have it.
    """
    if component not in _BY_COMPONENT:
        raise ValueError(f"the component {component} has no record in pipeline/dag/steps.py; add one to STEPS")
    return _BY_COMPONENT[component]


def display_name(component: str) -> str:
    """Returns the display name of a step; empty for an empty name."""
    return step_of(component).display_name if component else ""


def run_value_parameters() -> Iterator[tuple[StepSpec, str, str]]:
    """Yields each step with a run-time parameter, the parameter, and its field of `parameters.RunValues`."""
    for step in STEPS:
        for parameter, value in step.run_values.items():
            yield step, parameter, value
