from __future__ import annotations

import json
from pathlib import Path

import pytest
from tfx.types import channel_utils, standard_artifacts

from common.errors import UserError
from components.artifacts import Quarantine
from components.evaluator.results import RESULTS_FILE, Evaluation
from components.example_gen.quarantine import SUMMARY_FILE, IngestionSummary
from components.pusher.component import RegistryPusher
from components.pusher.executor import Executor
from components.pusher.result import PUSHED_FILE, PushResult
from registry.state import holdings_state, registry_state

SUMMARY = IngestionSummary(
    data_fingerprint="f" * 64,
    classes=("ground", "ghost"),
    found=3,
    used={"test": 3},
    quarantined={},
    class_pixels={},
    class_pictures={},
    void_pixels={},
)


def _artifact(kind, uri: Path, files: dict[str, str]):
    artifact = kind()
    artifact.uri = str(uri)
    uri.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (uri / name).write_text(text)
    return [artifact]


@pytest.fixture
def do(registry, make_model, tmp_path):
    """Runs the executor as TFX does; gives the artifact."""

    def run(text: str, evaluation: Evaluation, blessed: bool, model_name: str = "nuclei", servable: bool = True):
        infra_blessing = _artifact(standard_artifacts.InfraBlessing, tmp_path / "infra_blessing", {})
        infra_blessing[0].set_int_custom_property("blessed", int(servable))
        blessing = _artifact(standard_artifacts.ModelBlessing, tmp_path / "blessing", {})
        blessing[0].set_int_custom_property("blessed", int(blessed))
        evaluated = {RESULTS_FILE: evaluation.model_dump_json()}
        inputs = {
            "model": _artifact(standard_artifacts.Model, Path(make_model(text)), {}),
            "blessing": blessing,
            "evaluation": _artifact(standard_artifacts.ModelEvaluation, tmp_path / "evaluation", evaluated),
            "quarantine": _artifact(Quarantine, tmp_path / "quarantine", {SUMMARY_FILE: SUMMARY.model_dump_json()}),
            "infra_blessing": infra_blessing,
        }
        outputs = {"pushed_model": _artifact(standard_artifacts.PushedModel, tmp_path / "pushed", {})}
        parameters = {
            "registry": registry.uri,
            "registry_state": registry_state(registry.uri),
            "holdings_state": holdings_state(registry.uri),
            "run_config": json.dumps({"name": model_name, "seed": 1}),
            "model_name": model_name,
            "code": "",
        }
        Executor().Do(inputs, outputs, parameters)
        return outputs["pushed_model"][0]

    return run


def test_a_blessed_model_is_pushed_and_the_artifact_says_so(do, registry, evaluate):
    pushed = do("a", evaluate(), blessed=True)
    result = PushResult.model_validate_json(Path(pushed.uri, PUSHED_FILE).read_text())
    assert (result.pushed, result.version, result.served) == (True, 1, 1)
    assert pushed.get_int_custom_property("pushed") == 1
    assert pushed.get_string_custom_property("pushed_version") == "1"
    assert Path(pushed.get_string_custom_property("pushed_destination"), "saved_model.pb").read_text() == "a"
    manifest = registry.verify(1)
    assert manifest.data_fingerprint == "f" * 64
    assert manifest.config == {"name": "nuclei", "seed": 1}
    assert manifest.model_name == "nuclei"


def test_a_model_that_is_not_blessed_is_not_pushed(do, registry, evaluate):
    pushed = do("a", evaluate(blessed=False), blessed=False)
    assert json.loads(Path(pushed.uri, PUSHED_FILE).read_text())["note"].startswith("not blessed (mean_iou")
    assert pushed.get_int_custom_property("pushed") == 0
    assert not pushed.has_custom_property("pushed_version")
    assert registry.versions() == []


def test_the_same_model_again_is_told_from_a_new_one(do, evaluate):
    do("a", evaluate(), blessed=True)
    pushed = do("a", evaluate(baseline_version=1), blessed=True)
    assert pushed.get_int_custom_property("pushed") == 0
    assert pushed.get_string_custom_property("pushed_version") == "1"


@pytest.mark.parametrize("blessed", [True, False])
def test_a_blessing_that_contradicts_the_evaluation_is_not_believed(do, registry, evaluate, blessed):
    with pytest.raises(ValueError, match="contradict each other"):
        do("a", evaluate(blessed=blessed), blessed=not blessed)
    assert registry.versions() == []


def test_a_model_that_cannot_be_served_is_not_pushed(do, registry, evaluate):
    with pytest.raises(ValueError, match="does not say that the model can be served"):
        do("a", evaluate(), blessed=True, servable=False)
    assert registry.versions() == []


def test_another_models_registry_is_refused(do, evaluate):
    do("a", evaluate(), blessed=True)
    with pytest.raises(UserError, match="holds the model 'nuclei', not 'pets'"):
        do("b", evaluate(), blessed=True, model_name="pets")


def test_the_component_declares_a_pushed_model():
    pusher = RegistryPusher(
        model=channel_utils.as_channel([standard_artifacts.Model()]),
        blessing=channel_utils.as_channel([standard_artifacts.ModelBlessing()]),
        evaluation=channel_utils.as_channel([standard_artifacts.ModelEvaluation()]),
        quarantine=channel_utils.as_channel([Quarantine()]),
        registry="registry",
        registry_state="none",
        holdings_state="empty:0",
        run_config="{}",
        model_name="nuclei",
    )
    assert pusher.outputs["pushed_model"].type is standard_artifacts.PushedModel
    assert pusher.exec_properties["holdings_state"] == "empty:0"
