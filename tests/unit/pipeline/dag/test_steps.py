"""The table of steps: complete, without doubles, and true to the components."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor

from common.records import MAX_FOLDS
from pipeline.config.run_config import load_config
from pipeline.dag.parameters import RunValues
from pipeline.dag.pipeline import create_steps
from pipeline.dag.run_state import RunState
from pipeline.dag.steps import STEPS, TRAINER, StepSpec, display_name, step_of
from pipeline.kubeflow.compile.tfx_output import placeholders

ONE_MODEL, FOLDS = (), (f"data.split.folds={MAX_FOLDS}",)


def steps_of(*overrides: str) -> dict[str, object]:
    """The steps of a pipeline with every optional one."""
    config = load_config(
        "pipeline/configs/sample.yaml",
        [
            "tuner={max_epochs: 2}",
            "export.formats=[saved_model, tflite]",
            "batch_prediction={source: {root: new}, out: predicted}",
            *overrides,
        ],
    )
    return {step.id: step for step in create_steps(config, RunState(**placeholders()))}


@pytest.fixture(scope="module")
def components() -> dict[str, object]:
    """All steps of a pipeline with one model, and of one with as many folds as there may be."""
    return steps_of(*ONE_MODEL) | steps_of(*FOLDS)


@pytest.mark.parametrize("overrides", [ONE_MODEL, FOLDS])
def test_the_table_has_each_step_of_the_dag_in_its_order(overrides: tuple[str, ...]) -> None:
    ids = list(steps_of(*overrides))
    assert [step.component for step in STEPS if step.component in ids] == ids


def test_the_table_has_no_step_that_no_pipeline_has(components: dict[str, object]) -> None:
    assert {step.component for step in STEPS} == set(components)


def test_a_cross_validation_has_a_training_for_each_fold_and_pushes_their_average() -> None:
    steps: dict[str, Any] = steps_of("data.split.folds=3")
    assert [name for name in steps if name.startswith("Trainer")] == ["TrainerFold1", "TrainerFold2", "TrainerFold3"]
    assert [steps[f"TrainerFold{fold}"].exec_properties["fold"] for fold in (1, 2, 3)] == [1, 2, 3]
    ensemble = steps["Ensemble"].outputs["model"]
    for name in ("SegmentationEvaluator", "FormatExporter", "RunReport"):
        assert steps[name].inputs["model"] is ensemble


def test_a_model_with_other_formats_is_served_and_pushed_with_them() -> None:
    steps: dict[str, Any] = steps_of()
    assert steps["ServingCheck"].inputs["model"] is steps["FormatExporter"].outputs["exported_model"]
    assert steps["RegistryPusher"].inputs["model"] is steps["ServingCheck"].outputs["checked_model"]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.task)
def test_a_step_takes_its_run_values_as_parameters(components: dict[str, object], step: StepSpec) -> None:
    assert set(step.run_values) <= set(components[step.component].exec_properties)  # type: ignore[attr-defined]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.task)
def test_a_step_that_runs_our_code_takes_its_digest(components: dict[str, object], step: StepSpec) -> None:
    properties = components[step.component].exec_properties  # type: ignore[attr-defined]
    assert ("code" in properties or '"code"' in str(properties.get("custom_config"))) == bool(step.entry_points)


def test_transform_and_trainer_are_given_the_number_of_bands_and_their_depth() -> None:
    config = load_config("pipeline/configs/sample.yaml", ["data.bands={names: [red, green, nir], use: [nir, red]}"])
    steps = {type(step).__name__: step for step in create_steps(config, RunState(**placeholders()))}
    for name in ("Transform", "Trainer"):
        given = json.loads(steps[name].exec_properties["custom_config"])  # type: ignore[attr-defined]
        assert (given["bands"], given["depth"]) == (2, "uint16")


def test_each_value_of_a_run_is_taken_by_a_step() -> None:
    taken = {value for step in STEPS for value in step.run_values.values()}
    assert taken == {field.name for field in dataclasses.fields(RunValues)}


def test_names_are_unique() -> None:
    for names in ([step.display_name for step in STEPS], [step.task for step in STEPS]):
        assert len(set(names)) == len(STEPS)


@pytest.mark.parametrize(
    ("component", "task"),
    [
        ("ImageMaskExampleGen", "image-mask-example-gen"),
        ("Trainer", "trainer"),
        ("StatisticsGen", "statistics-gen"),
        ("RunReport", "run-report"),
        ("TrainerFold2", "trainer-fold-2"),
        ("TrainerFold10", "trainer-fold-10"),
    ],
)
def test_a_task_is_named_after_its_component_with_hyphens(component: str, task: str) -> None:
    assert step_of(component).task == task


def test_a_component_without_a_record_is_an_error() -> None:
    assert display_name(TRAINER.component) == "Train"
    with pytest.raises(ValueError, match=r"Unheard has no record in pipeline/dag/steps.py"):
        display_name("Unheard")


def test_the_steps_on_beam_are_those_whose_executors_build_a_beam_pipeline(components: dict[str, Any]) -> None:
    on_beam = {
        name for name, step in components.items() if issubclass(step.EXECUTOR_SPEC.executor_class, BaseBeamExecutor)
    }
    assert {step.component for step in STEPS if step.on_beam} == on_beam
