"""Edited code misses the cache."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.dag import code_digest as module
from pipeline.dag.import_closure import PACKAGES
from pipeline.dag.steps import FOLD_TRAINERS, STEPS, StepSpec

WITH_CODE = [step for step in STEPS if step.entry_points and step not in FOLD_TRAINERS]
"""The folds' trainings run the code of the step `trainer`, with its digest."""
EVERY_STEP = {step.task for step in WITH_CODE}


@pytest.fixture
def copied_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for folder in PACKAGES:
        shutil.copytree(folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(module, "_ROOT", tmp_path)
    yield tmp_path
    module._digest.cache_clear()


def digests() -> dict[str, str]:
    module._digest.cache_clear()
    return {step.task: module.code_digest(step) for step in WITH_CODE}


def edit(path: Path) -> None:
    with path.open("a") as file:
        file.write("\n")


@pytest.mark.parametrize(
    ("edited", "concerned"),
    [
        ("components/trainer/models/unet.py", {"trainer", "hyperband-tuner", "ensemble"}),
        # The settings of a loss stand beside its function; serving check and exporter read the trainer's settings.
        (
            "components/trainer/losses/dice.py",
            {"trainer", "hyperband-tuner", "ensemble", "serving-check", "format-exporter"},
        ),
        ("components/tuner/search.py", {"hyperband-tuner"}),
        ("components/schema_importer/executor.py", {"schema-importer"}),
        ("components/transform/preprocessing.py", {"transform"}),
        ("serving/protocol/rest.py", {"serving-check"}),
        ("serving/static/page.js", {"serving-check"}),
        ("components/report/templates/page.html", {"run-report"}),
        (
            "registry/store.py",
            {"data-gate", "baseline", "segmentation-evaluator", "serving-check", "registry-pusher", "run-report"}
            | {"batch-predictor", "format-exporter"},
        ),
        ("common/errors.py", EVERY_STEP),
        ("components/__init__.py", EVERY_STEP),
    ],
)
def test_an_edit_concerns_the_steps_that_run_it(copied_sources: Path, edited: str, concerned: set[str]) -> None:
    before = digests()
    edit(copied_sources / edited)
    after = digests()
    assert {task for task in after if after[task] != before[task]} == concerned


@pytest.mark.parametrize("step", WITH_CODE, ids=lambda step: step.task)
def test_each_file_of_the_closure_changes_the_digest(copied_sources: Path, step: StepSpec) -> None:
    before = module.code_digest(step)
    for path in module.code_files(step.entry_points, copied_sources):
        content = path.read_bytes()
        edit(path)
        module._digest.cache_clear()
        assert module.code_digest(step) != before, path
        path.write_bytes(content)
    module._digest.cache_clear()
    assert module.code_digest(step) == before


@pytest.mark.parametrize(
    "name", [".page.html.swp", "page.html~", "__pycache__/page.cpython-310.pyc", "build/page.html"]
)
def test_an_editor_s_files_and_a_build_s_change_nothing(copied_sources: Path, name: str) -> None:
    before = digests()
    path = copied_sources / "components" / "report" / "templates" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("x")
    assert digests() == before


@pytest.mark.parametrize("name", ["build/lib/segpipe_client/rest.py", "segpipe_client.egg-info/PKG-INFO"])
def test_building_the_client_changes_nothing(copied_sources: Path, name: str) -> None:
    before = digests()
    path = copied_sources / "segpipe_client" / name
    path.parent.mkdir(parents=True)
    path.write_text("x")
    assert digests() == before
