"""The whole pipeline on a backend without ML Metadata, as Kubeflow Pipelines is after 2.17, by rules by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.config.run_config import load_config
from pipeline.kubeflow.compile.compiler import compile_pipeline
from tests.kubeflow import test_emulated_run as whole
from tests.kubeflow.emulator import Backend
from tests.kubeflow.installation import WITHOUT_METADATA
from tests.kubeflow.store import COMPLETE
from tests.kubeflow.workflow import PipelineRun

pytestmark = whole.pytestmark

config, first, there, told, volume = whole.config, whole.first, whole.there, whole.told, whole.volume


@pytest.fixture(scope="module")
def kind() -> str:
    return WITHOUT_METADATA


def test_all_steps_run_and_the_figures_are_kept(first: PipelineRun, there: Backend) -> None:
    assert first.succeeded, whole.logs(first)
    all_steps = {"survey", "notify", *whole.DATA_STEPS, *whole.MODEL_STEPS, *whole.RELEASE_STEPS}
    assert first.in_state(COMPLETE) == all_steps
    report = first.tasks["run-report"].execution
    assert report is not None
    metrics = there.store.artifacts[report.artifacts["metrics"]].properties
    assert {type(value) for _, value in metrics.values()} <= {int, float} and metrics


def test_the_webhook_is_told_how_a_run_ended_in_which_no_launcher_came_last(
    first: PipelineRun, there: Backend, config: Path, told: list[dict[str, Any]]
) -> None:
    del first
    assert "ended well" in told[1]["text"]
    run = there.run(compile_pipeline(load_config(config, [*whole.ON_CLUSTER, "when_unchanged=skip"])))
    assert run.succeeded, whole.logs(run)
    assert "ended well" in told[-1]["text"]
