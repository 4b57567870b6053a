"""What the API server's own code makes of our compiled pipelines, and of specs that break our rules.

The program is built from the Go module beside this file; see docs/kubeflow/how-it-was-tested.md.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.support.compiled_pipelines import EVERYTHING, SHIPPED, compiled
from tests.support.kubeflow_backend import ask_backend
from tests.support.small_spec import BROKEN, CREATION, broken, small_platform, small_spec


@pytest.mark.parametrize("config", [*SHIPPED, EVERYTHING], ids=lambda path: path.stem)
def test_the_backend_takes_what_we_compile(config: Path) -> None:
    verdict = ask_backend(compiled(config))
    assert not verdict.refusal
    assert yaml.safe_load(verdict.workflow)["kind"] == "Workflow"


def test_the_workflow_has_what_the_configuration_asks_for() -> None:
    workflow = yaml.safe_load(ask_backend(compiled(EVERYTHING)).workflow)
    templates = {template["name"]: template for template in workflow["spec"]["templates"]}
    root = {task["name"]: task for task in templates["root"]["dag"]["tasks"]}
    inner = {task["name"]: task for task in templates["comp-pipeline"]["dag"]["tasks"]}
    steps = {task["name"]: task for task in templates["comp-retrain"]["dag"]["tasks"]}
    assert root["pipeline"]["hooks"]["exit"]["template"] == "exit-hook-root-notify"
    assert inner["retrain"]["when"] == "{{tasks.retrain-driver.outputs.parameters.condition}} != false"
    assert inner["retrain-driver"]["depends"] == "survey.Succeeded"
    assert "retrain" not in inner["survey-driver"].get("depends", "")
    assert _argument(steps["trainer"], "retry-max-count") == "3"
    assert steps["image-mask-example-gen"]["template"] == "system-container-executor"  # Without retries.
    kubernetes = json.loads(_argument(workflow["spec"], "kubernetes-comp-trainer"))
    assert kubernetes["activeDeadlineSeconds"] == 36000
    assert kubernetes["nodeSelector"] == {"labels": {"pool": "gpu"}}


def test_a_run_may_give_parameters_of_their_types_alone() -> None:
    text = compiled(EVERYTHING)
    assert not ask_backend(text, {"epochs": 2, "run_date": "[[ScheduledTime]]"}).refusal
    assert "not of number value type" in ask_backend(text, {"epochs": "2"}).refusal
    assert "not required by pipeline: epoch" in ask_backend(text, {"epoch": 2}).refusal


def test_macros_in_a_run_s_texts_are_expanded_but_that_of_the_scheduled_time() -> None:
    """As `kfp_api` has it: RunWorkflow in v2_template.go, of a run that the scheduled workflow's controller creates."""
    macros = "[[ScheduledTime]] [[CurrentTime]] [[RunUUID]] {{$.pipeline_job_schedule_time_utc}}"
    workflow = json.dumps(yaml.safe_load(ask_backend(compiled(EVERYTHING), {"run_date": macros}).workflow))
    assert "[[ScheduledTime]] 19700101000001 run-id {{$.pipeline_job_schedule_time_utc}}" in workflow


def test_the_backend_takes_the_small_spec() -> None:
    assert not ask_backend(_upload(small_spec())).refusal


@pytest.mark.parametrize("case", BROKEN)
def test_the_backend_refuses_as_our_rules_say(case: str) -> None:
    verdict = ask_backend(_upload(broken(case)))
    assert bool(verdict.refusal) == (BROKEN[case].refused == CREATION), verdict.refusal


def test_an_unknown_field_of_the_platform_document_is_refused() -> None:
    platform = small_platform()
    platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]["exec-first"]["sharedMemory"] = {}
    assert "unknown field" in ask_backend(yaml.safe_dump_all([small_spec(), platform])).refusal


def _upload(spec: dict[str, object]) -> str:
    return yaml.safe_dump_all([spec, small_platform()])


def _argument(of: dict[str, dict[str, list[dict[str, str]]]], name: str) -> str:
    return next(parameter["value"] for parameter in of["arguments"]["parameters"] if parameter["name"] == name)
