"""A compiled cross-validation: the folds' trainings side by side, with the cluster options of the step `trainer`."""

from __future__ import annotations

import json

import pytest

from common.errors import UserError
from pipeline.kubeflow.pod.survey import effective_config
from tests.support.compiled_pipelines import FOLDS, documents

TRAININGS = [f"trainer-fold-{fold}" for fold in (1, 2, 3)]


def test_the_trainings_wait_for_the_records_and_not_for_each_other() -> None:
    spec, _ = documents(FOLDS)
    tasks = spec["root"]["dag"]["tasks"]
    assert [name for name in tasks if name.startswith("trainer")] == TRAININGS
    for name in TRAININGS:
        assert set(tasks[name]["dependentTasks"]) == {"survey", "transform"}
        assert tasks[name]["taskInfo"]["name"] == f"Train fold {name[-1]}"
    for name in ("ensemble", "cross-validator"):
        assert set(TRAININGS) <= set(tasks[name]["dependentTasks"])
    for name in ("segmentation-evaluator", "serving-check"):
        assert tasks[name]["inputs"]["artifacts"]["model"]["taskOutputArtifact"]["producerTask"] == "ensemble"


def test_each_has_its_fold_and_one_value_of_the_survey_for_the_rest() -> None:
    spec, _ = documents(FOLDS)
    for fold, name in enumerate(TRAININGS, 1):
        parameters = spec["root"]["dag"]["tasks"][name]["inputs"]["parameters"]
        assert parameters["fold"] == {"runtimeValue": {"constant": fold}}
        settings = parameters["custom_config"]["taskOutputParameter"]
        assert settings == {"producerTask": "survey", "outputParameterKey": "trainer_settings"}


def test_the_options_of_the_trainer_are_those_of_each_fold_which_may_have_its_own() -> None:
    spec, platform = documents(FOLDS)
    memory = []
    for name in TRAININGS:
        container = spec["deploymentSpec"]["executors"][f"exec-{name}"]["container"]
        assert container["resources"]["accelerator"]["resourceCount"] == "1"
        assert container["resources"]["resourceCpuRequest"] == "8"
        assert [entry["name"] for entry in container["env"]] == ["SEGPIPE_WORKERS"]
        memory.append(container["resources"]["resourceMemoryRequest"])
        assert platform[f"exec-{name}"]["activeDeadlineSeconds"] == 36_000
        assert platform[f"exec-{name}"]["tolerations"][0]["key"] == "nvidia.com/gpu"
        assert platform[f"exec-{name}"]["pvcMount"][0]["mountPath"] == "/shared"
    assert memory == ["32Gi", "64Gi", "32Gi"]
    assert "nodeSelector" in platform["exec-trainer-fold-2"]
    assert "nodeSelector" not in platform["exec-trainer-fold-3"]


def test_a_run_cannot_change_the_number_of_folds() -> None:
    spec, _ = documents(FOLDS)
    arguments = spec["deploymentSpec"]["executors"]["exec-survey"]["container"]["args"]
    compiled = json.loads(arguments[arguments.index("--config") + 1])
    with pytest.raises(UserError, match=r"data\.split\.folds is compiled into the pipeline"):
        effective_config(compiled, {"overrides": "data.split.folds=4"})
