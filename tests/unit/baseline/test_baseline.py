from __future__ import annotations

from pathlib import Path

import pytest
from tfx.dsl.io import fileio
from tfx.types import standard_artifacts
from tfx.utils import path_utils

from common.errors import UserError
from components.baseline.component import Baseline
from components.baseline.executor import Executor
from registry.hashing import hash_folder
from registry.local_storage import LocalStorage
from registry.state import registry_state
from registry.store import Registry


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(str(tmp_path / "registry"))


@pytest.fixture
def push(registry: Registry, tmp_path: Path):
    """Pushes and serves a model of the given text."""

    def push_and_serve(text: str):
        model = tmp_path / text
        (model / "variables").mkdir(parents=True)
        (model / "saved_model.pb").write_text(text)
        (model / "variables" / "variables.index").write_text(text)
        manifest, _ = registry.push(
            str(model),
            model_name="nuclei",
            data_fingerprint="d",
            baseline_version=None,
            metrics={},
            config={},
            software={},
        )
        registry.serve(manifest.version)
        return manifest

    return push_and_serve


def _run(registry: Registry, state: str, folder: Path) -> standard_artifacts.Model:
    model = standard_artifacts.Model()
    model.uri = str(folder)
    fileio.makedirs(model.uri)
    Executor().Do({}, {"model": [model]}, {"registry": registry.uri, "registry_state": state, "code": ""})
    return model


def test_the_served_version_arrives_where_tfx_looks_for_a_model(registry, push, tmp_path):
    push("a")
    manifest = push("b")
    model = _run(registry, registry_state(registry.uri), tmp_path / "artifact")
    assert hash_folder(LocalStorage(path_utils.serving_model_path(model.uri))) == manifest.files
    assert model.get_string_custom_property("version") == "2"
    assert model.get_string_custom_property("content_hash") == manifest.content_hash
    assert not Path(model.uri, "NO_BASELINE").exists()


def test_without_a_served_version_there_is_a_marker(registry, tmp_path):
    model = _run(registry, registry_state(registry.uri), tmp_path / "artifact")
    assert [path.name for path in Path(model.uri).iterdir()] == ["NO_BASELINE"]
    assert model.get_string_custom_property("version") == ""
    assert model.get_string_custom_property("content_hash") == ""


def test_the_baseline_is_what_was_served_when_the_run_began(registry, push, tmp_path):
    push("a")
    state = registry_state(registry.uri)
    push("b")
    assert _run(registry, state, tmp_path / "artifact").get_string_custom_property("version") == "1"


def test_a_damaged_baseline_stops_the_run(registry, push, tmp_path):
    push("a")
    Path(registry.version_location(1), "saved_model.pb").write_text("something else")
    with pytest.raises(UserError, match=r"versions/1/saved_model.pb is not the file that was pushed"):
        _run(registry, registry_state(registry.uri), tmp_path / "artifact")
    assert not Path(tmp_path, "artifact", "Format-Serving").exists()


def test_a_second_attempt_after_a_crash_finds_its_way(registry, push, tmp_path):
    manifest = push("a")
    for _ in range(2):
        model = _run(registry, registry_state(registry.uri), tmp_path / "artifact")
    assert hash_folder(LocalStorage(path_utils.serving_model_path(model.uri))) == manifest.files


def test_the_component_declares_a_model():
    baseline = Baseline(registry="registry", registry_state="1:abc")
    assert baseline.outputs["model"].type is standard_artifacts.Model
    assert baseline.exec_properties == {"registry": "registry", "registry_state": "1:abc", "code": ""}
