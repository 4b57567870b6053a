"""The first task of a run."""

from __future__ import annotations

import json

import pytest

from common.errors import UserError
from pipeline.config.run_config import load_config
from pipeline.dag.parameters import run_values
from pipeline.kubeflow.compile.non_tfx_tasks import survey_outputs
from pipeline.kubeflow.pod.survey import effective_config, survey, write_outputs
from registry.store import Registry
from tests.support.tiny import write_data, write_use_case


@pytest.fixture
def config(tmp_path):
    return load_config(write_use_case(tmp_path), [f"registry={tmp_path}/registry"])


@pytest.fixture
def compiled(config):
    """As the compiler hands it to the task."""
    return json.loads(config.model_dump_json(by_alias=True))


def push(config, values, tmp_path):
    model = tmp_path / "model"
    model.mkdir(exist_ok=True)
    (model / "saved_model.pb").write_text("model")
    manifest, _ = Registry(config.registry_uri).push(
        str(model),
        model_name="tiny",
        data_fingerprint=values["data_fingerprint"],
        baseline_version=None,
        metrics={},
        config=json.loads(values["run_config"]),
        software={},
    )
    Registry(config.registry_uri).serve(manifest.version)


def test_without_parameters_the_run_is_as_it_was_compiled(config, compiled):
    given = {"data_root": "", "epochs": float(config.trainer.epochs), "run_date": "", "overrides": ""}
    assert effective_config(compiled, given) == config
    assert effective_config(compiled, {}) == config


def test_data_epochs_and_further_keys_may_be_said_for_a_run(compiled):
    lines = "trainer.learning_rate=0.5\n\n  trainer.model.width=16 \nreport.best=1"
    config = effective_config(compiled, {"data_root": "gs://b: #c", "epochs": 3.0, "overrides": lines})
    assert config.data.source.root == "gs://b: #c"
    assert (config.trainer.epochs, config.trainer.learning_rate, config.trainer.model.width) == (3, 0.5, 16)


@pytest.mark.parametrize(
    "line",
    [
        "name=other",
        "transform.height=64",
        "data.classes=[a, b, c]",
        "evaluator.split=eval",
        "registry=gs://other",
        "kubeflow.image=other",
        "trainer.warm_start=blessed",
        "validation.max_quarantined=0.5",
        "seed=2",
        "when_unchanged=skip",
    ],
)
def test_what_is_compiled_into_other_steps_is_refused_by_its_key(compiled, line):
    compiled["evaluator"] = {"thresholds": [{"metric": "mean_iou", "at_least": 0.5}]}
    key = line.partition("=")[0]
    with pytest.raises(UserError, match=rf"{key} is compiled into the pipeline; compile it with --set {key}="):
        effective_config(compiled, {"overrides": line})


def test_a_wrong_key_is_an_error_with_its_path(compiled):
    with pytest.raises(UserError, match=r"^the run's parameters: trainer.epoch: unknown key; did you mean 'epochs'"):
        effective_config(compiled, {"overrides": "trainer.epoch=3"})
    with pytest.raises(UserError, match="write it as key"):
        effective_config(compiled, {"overrides": "epochs 3"})


def test_the_data_of_tensorflow_datasets_has_no_root(compiled):
    compiled["evaluator"] = {"thresholds": [{"metric": "mean_iou", "at_least": 0.5}]}
    compiled["data"]["source"] = {"type": "tfds", "name": "x"}
    with pytest.raises(UserError, match="of type tfds"):
        effective_config(compiled, {"data_root": "gs://b"})


def test_it_says_all_that_steps_depend_on(config, compiled):
    values = survey(compiled, {"epochs": 3})
    assert sorted(values) == survey_outputs()
    assert all(isinstance(value, str) for value in values.values())
    assert values["registry_state"] == "none" and values["retrain"] == "true"
    assert json.loads(json.loads(values["trainer_settings"])["trainer"])["epochs"] == 3
    assert json.loads(values["run_config"])["trainer"]["epochs"] == 3
    assert "kubeflow" not in json.loads(values["run_config"])


def test_changed_data_has_another_fingerprint(compiled, tmp_path):
    before = survey(compiled, {})["data_fingerprint"]
    write_data(tmp_path / "data", seed=1)
    assert survey(compiled, {})["data_fingerprint"] != before


def test_missing_data_is_an_error_of_one_sentence(compiled, tmp_path):
    with pytest.raises(UserError, match="nowhere"):
        survey(compiled, {"data_root": f"{tmp_path}/nowhere"})


def test_a_training_finds_itself_again_where_the_configuration_says(compiled):
    compiled["kubeflow"]["resume_dir"] = "/mnt/resume"
    assert json.loads(survey(compiled, {})["trainer_settings"])["resume_root"] == "/mnt/resume/tiny"


def test_an_unchanged_run_may_be_skipped(config, compiled, tmp_path):
    first = survey(compiled, {})
    push(config, first, tmp_path)
    assert survey(compiled, {})["retrain"] == "true"
    compiled["when_unchanged"] = "skip"
    assert survey(compiled, {})["retrain"] == "false"
    assert survey(compiled, {"epochs": 3})["retrain"] == "true"
    write_data(tmp_path / "data", seed=1)
    assert survey(compiled, {})["retrain"] == "true"


def test_outputs_are_written_to_where_the_launcher_reads_them(tmp_path):
    parameters = {name: {"outputFile": str(tmp_path / "outputs" / name)} for name in ("a", "b")}
    write_outputs({"outputs": {"parameters": parameters}}, {"a": "1", "b": "two\nlines", "more": "x"})
    assert (tmp_path / "outputs" / "b").read_text() == "two\nlines"
    assert len(list((tmp_path / "outputs").iterdir())) == 2


def test_the_trainers_settings_are_byte_for_byte_those_of_tfxs_trainer(config, capfd):
    from pipeline.dag.pipeline import create_steps
    from pipeline.dag.run_state import capture_run_state
    from tests.support.tiny import segpipe_here

    assert segpipe_here(capfd, "schema", "infer", config.schema_file.with_name("tiny.yaml")).returncode == 0
    state = capture_run_state(config)
    trainer = next(step for step in create_steps(config, state) if step.id == "Trainer")
    assert trainer.exec_properties["custom_config"] == run_values(config, state).trainer_settings
