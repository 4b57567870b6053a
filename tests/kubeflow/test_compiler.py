"""The compiled pipeline: what was changed after TFX, and what the configuration does to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from common.errors import UserError
from pipeline.config.run_config import load_config
from pipeline.dag.steps import ENSEMBLE, EXPORTER, FOLD_TRAINERS, run_value_parameters
from pipeline.kubeflow.compile.compiler import compile_pipeline
from tests.support.compiled_pipelines import EVERYTHING, SHIPPED, documents

SAMPLE = Path("pipeline/configs/sample.yaml")


def sample(*overrides: str) -> dict[str, Any]:
    return documents(SAMPLE, *overrides)[0]


def tasks(spec: dict[str, Any]) -> dict[str, Any]:
    """All tasks that run a container."""
    dags = [spec["root"], *(component for component in spec["components"].values() if "dag" in component)]
    found = {name: task for dag in dags for name, task in dag["dag"]["tasks"].items()}
    return {name: task for name, task in found.items() if f"exec-{name}" in spec["deploymentSpec"]["executors"]}


@pytest.mark.parametrize("config", [*SHIPPED, EVERYTHING], ids=lambda path: path.stem)
def test_every_configuration_compiles_to_two_documents(config: Path) -> None:
    spec, executors = documents(config)
    assert spec["schemaVersion"] == "2.1.0"
    assert executors.keys() == spec["deploymentSpec"]["executors"].keys()


def test_tasks_have_the_names_of_persons_and_of_steps() -> None:
    assert tasks(sample())["image-mask-example-gen"]["taskInfo"]["name"] == "Ingest pairs"


def test_what_depends_on_a_run_comes_from_the_survey() -> None:
    spec = sample("tuner={max_epochs: 2}")
    outputs = spec["components"]["comp-survey"]["outputDefinitions"]["parameters"]
    there = [parameter for parameter in run_value_parameters() if parameter[0].task in tasks(spec)]
    elsewhere = {step.task for step, _, _ in run_value_parameters()} - {step.task for step, _, _ in there}
    assert elsewhere == {step.task for step in (*FOLD_TRAINERS, ENSEMBLE, EXPORTER)}
    for step, name, output in there:
        value = tasks(spec)[step.task]["inputs"]["parameters"][name]
        assert value == {"taskOutputParameter": {"producerTask": "survey", "outputParameterKey": output}}
        assert output in outputs
    assert "retrain" in outputs


def test_the_survey_looks_around_in_each_run() -> None:
    assert tasks(sample())["survey"]["cachingOptions"] == {}


def test_the_survey_knows_the_configuration_with_the_cluster_s_paths() -> None:
    args = sample()["deploymentSpec"]["executors"]["exec-survey"]["container"]["args"]
    config = json.loads(args[args.index("--config") + 1])
    assert config["data"]["source"]["root"] == "/mnt/segpipe/build/sample-data"
    assert config["registry"] == "/mnt/segpipe/runs/sample/registry"


def test_steps_run_tfx_executors_by_our_command() -> None:
    container = sample()["deploymentSpec"]["executors"]["exec-trainer"]["container"]
    assert container["command"] == ["segpipe-step", "run"]
    assert container["args"][:4] == [
        "--executor_class_path",
        "tfx.components.trainer.executor.GenericExecutor",
        "--json_serialized_invocation_args",
        "{{$}}",
    ]
    inputs = json.loads(container["args"][5])
    assert inputs["artifacts"]["transform_graph"]["artifactType"]["schemaTitle"] == "tfx.TransformGraph"


def test_artifacts_have_titles_that_tfx_and_the_dashboard_know() -> None:
    components = sample()["components"]
    outputs = {
        definition["artifactType"]["schemaTitle"]
        for component in components.values()
        for definition in component.get("outputDefinitions", {}).get("artifacts", {}).values()
    }
    assert {"tfx.Examples", "tfx.Model", "segpipe.Quarantine", "system.HTML", "system.Metrics"} <= outputs
    assert "instanceSchema" not in json.dumps(components)


def test_nothing_of_the_compiling_machine_s_tfx_is_in_it() -> None:
    assert "tfx-1" not in yaml.safe_dump(sample())
    assert sample()["sdkVersion"] == "segpipe"


def test_run_parameters_have_the_configuration_s_values_as_defaults() -> None:
    parameters = sample("trainer.epochs=7")["root"]["inputDefinitions"]["parameters"]
    assert {name: parameter["defaultValue"] for name, parameter in parameters.items()} == {
        "data_root": "/mnt/segpipe/build/sample-data",
        "epochs": 7,
        "run_date": "",
        "overrides": "",
    }


def test_a_run_that_may_be_skipped_has_its_steps_in_a_group() -> None:
    spec = sample("when_unchanged=skip")
    assert set(spec["root"]["dag"]["tasks"]) == {"survey", "retrain"}
    group = spec["root"]["dag"]["tasks"]["retrain"]
    assert group["triggerPolicy"] == {"condition": "inputs.parameter_values['retrain'] == 'true'"}
    trainer = spec["components"]["comp-retrain"]["dag"]["tasks"]["trainer"]
    assert trainer["inputs"]["parameters"]["custom_config"] == {"componentInputParameter": "trainer_settings"}
    assert "survey" not in trainer["dependentTasks"]


def test_the_pusher_gets_the_model_that_was_tried_and_without_a_trial_the_trainer_s() -> None:
    def model_of(spec: dict[str, Any]) -> dict[str, Any]:
        return tasks(spec)["registry-pusher"]["inputs"]["artifacts"]["model"]["taskOutputArtifact"]

    assert model_of(sample()) == {"outputArtifactKey": "checked_model", "producerTask": "serving-check"}
    untried = sample("serving_check=null")
    assert model_of(untried) == {"outputArtifactKey": "model", "producerTask": "trainer"}
    assert "serving-check" not in tasks(untried)


def test_a_webhook_is_told_at_the_end_of_everything() -> None:
    spec = sample("kubeflow.webhook={secret: chat, key: address}")
    assert set(spec["root"]["dag"]["tasks"]) == {"pipeline", "notify"}
    last = spec["root"]["dag"]["tasks"]["notify"]
    assert last["triggerPolicy"] == {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}
    assert last["inputs"]["parameters"]["status"] == {"taskFinalStatus": {"producerTask": "pipeline"}}
    assert last["dependentTasks"] == ["pipeline"]


def test_a_step_has_the_resources_that_it_asks_for() -> None:
    spec, _ = documents(EVERYTHING)
    assert spec["deploymentSpec"]["executors"]["exec-trainer"]["container"]["resources"] == {
        "resourceCpuRequest": "8",
        "resourceMemoryRequest": "32Gi",
        "resourceMemoryLimit": "32Gi",
        "accelerator": {"resourceType": "nvidia.com/gpu", "resourceCount": "2"},
    }


def test_with_several_workers_the_other_steps_ask_for_what_they_did() -> None:
    steps = "kubeflow.steps={default: {cpu: '1', memory: 2Gi}, transform: {cpu: '4'}}"
    spec = sample("trainer.workers=2", "trainer.batch_size=8", "kubeflow.workers={bucket: gs://meeting}", steps)
    resources = spec["deploymentSpec"]["executors"]["exec-transform"]["container"]["resources"]
    assert resources == {"resourceCpuRequest": "4", "resourceMemoryRequest": "2Gi"}


def test_retries_and_caching_are_a_step_s_own() -> None:
    spec, _ = documents(EVERYTHING)
    found = tasks(spec)
    assert found["trainer"]["retryPolicy"]["maxRetryCount"] == 3
    assert "retryPolicy" not in found["image-mask-example-gen"]
    assert found["registry-pusher"]["cachingOptions"] == {}
    assert found["trainer"]["cachingOptions"] == {"enableCache": True}


def test_a_model_to_begin_with_is_not_looked_for_on_the_compiling_machine() -> None:
    assert sample("trainer.warm_start=models/old")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("kubeflow.steps.trainr={cpu: '1'}", r"kubeflow\.steps\.trainr is not a step .* did you mean 'trainer'"),
        ("registry=/elsewhere", "registry is /elsewhere, which is on no volume of the step baseline"),
        ("validation.schema=nowhere.pbtxt", "the curated schema .*nowhere.pbtxt does not exist"),
        ("kubeflow.volume={claim: scratch, mount: /data}", "two volumes of the name scratch"),
        ("kubeflow.volume={claim: data, mount: /minio}", "mounts a volume at /minio"),
        ("data.source.image_column=@big@", "an argument of [0-9]+ bytes; the operating system allows 131072"),
    ],
)
def test_what_could_not_run_is_refused_in_a_sentence(override: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        compile_pipeline(load_config(SAMPLE, [override.replace("@big@", "x" * 140_000)]))


def test_a_batch_is_predicted_after_the_push_on_the_volume_and_is_never_cached() -> None:
    assert "batch-predictor" not in tasks(sample())
    spec, executors = documents(SAMPLE, "batch_prediction={source: {root: new}, out: 'masks/{version}'}")
    task = tasks(spec)["batch-predictor"]
    assert task["inputs"]["artifacts"]["pushed_model"]["taskOutputArtifact"]["producerTask"] == "registry-pusher"
    assert task["cachingOptions"] == {}
    config = json.loads(task["inputs"]["parameters"]["batch_config"]["runtimeValue"]["constant"])
    assert (config["source"]["root"], config["out"]) == ("/mnt/segpipe/new", "/mnt/segpipe/masks/{version}")
    assert executors["exec-batch-predictor"]["pvcMount"][0]["mountPath"] == "/mnt/segpipe"
    assert "--runner=FnApiRunner" in spec["deploymentSpec"]["executors"]["exec-batch-predictor"]["container"]["args"]
