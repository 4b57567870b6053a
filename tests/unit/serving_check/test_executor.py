"""The step as TFX runs it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tfx.components.util import model_utils
from tfx.types import artifact, channel_utils, standard_artifacts

from common.errors import UserError
from common.signatures import WARMUP_FILE
from components.serving_check.component import ServingCheck
from components.serving_check.config import ServingCheckConfig
from components.serving_check.executor import Executor
from components.serving_check.result import RESULT_FILE, ServingCheckResult
from registry.hashing import hash_folder
from registry.local_storage import LocalStorage
from tests.support.serving import trainer_settings

Artifacts = dict[str, list[artifact.Artifact]]


@pytest.fixture
def inputs(models: Path, record_file: str, tmp_path: Path) -> Artifacts:
    shutil.copytree(models / "resize", tmp_path / "trained" / "Format-Serving")
    (tmp_path / "examples" / "Split-eval").mkdir(parents=True)
    shutil.copy(record_file, tmp_path / "examples" / "Split-eval")
    examples, model = standard_artifacts.Examples(), standard_artifacts.Model()
    examples.uri, model.uri = str(tmp_path / "examples"), str(tmp_path / "trained")
    examples.split_names = '["train", "eval", "test"]'
    return {"examples": [examples], "model": [model]}


@pytest.fixture
def outputs(tmp_path: Path) -> Artifacts:
    model, blessing = standard_artifacts.Model(), standard_artifacts.InfraBlessing()
    model.uri, blessing.uri = str(tmp_path / "checked"), str(tmp_path / "blessing")
    return {"checked_model": [model], "blessing": [blessing]}


def do(inputs: Artifacts, outputs: Artifacts, **config: object) -> None:
    settings = ServingCheckConfig.model_validate({"engine": "embedded", **config}).model_dump_json()
    parameters = {"config": settings, "trainer_settings": trainer_settings("resize"), "model_name": "tiny"}
    Executor().Do(inputs, outputs, {**parameters, "code": ""})


def files(folder: str) -> dict[str, str]:
    return hash_folder(LocalStorage(folder))


@pytest.mark.slow
def test_the_model_that_passed_has_warm_up_requests_and_the_trainer_s_is_as_it_was(
    inputs: Artifacts, outputs: Artifacts, models: Path
) -> None:
    do(inputs, outputs)
    checked = files(f"{outputs['checked_model'][0].uri}/Format-Serving")
    assert checked.pop(WARMUP_FILE)
    assert checked == files(str(models / "resize")) == files(f"{inputs['model'][0].uri}/Format-Serving")
    (blessing,) = outputs["blessing"]
    assert model_utils.is_infra_validated(blessing)
    result = ServingCheckResult.model_validate_json(Path(blessing.uri, RESULT_FILE).read_text())
    assert (result.pictures, result.warmup_requests) == (3, 2)


@pytest.mark.slow
def test_a_model_over_the_budget_stops_the_run_and_has_no_blessing(inputs: Artifacts, outputs: Artifacts) -> None:
    with pytest.raises(UserError, match=r"cannot be served and is not pushed: the median image takes \d+ ms"):
        do(inputs, outputs, max_milliseconds=0.001, pictures=1)
    assert not model_utils.is_infra_validated(outputs["blessing"][0])


def test_the_component_declares_a_model_and_a_blessing() -> None:
    check = ServingCheck(
        examples=channel_utils.as_channel([standard_artifacts.Examples()]),
        model=channel_utils.as_channel([standard_artifacts.Model()]),
        config=ServingCheckConfig(),
        trainer_settings="{}",
        model_name="tiny",
    )
    assert check.outputs["checked_model"].type is standard_artifacts.Model
    assert check.outputs["blessing"].type is standard_artifacts.InfraBlessing
