"""The step as TFX runs it: the served version predicts."""

from __future__ import annotations

from pathlib import Path

import pytest
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import standard_artifacts

from components.artifacts import BatchPredictions
from components.batch_predictor.config import BatchPredictionConfig
from components.batch_predictor.entries import Counts
from components.batch_predictor.executor import Executor
from components.pusher.result import PUSHED_FILE, PushResult
from registry.store import Registry

ONE_MACHINE = ["--runner=FnApiRunner", "--sdk_container_image=unused"]


def do(registry: Registry, photos: Path, folder: Path, served: int | None) -> BatchPredictions:
    """Runs the executor, and returns its artifact."""
    pushed, predictions = standard_artifacts.PushedModel(), BatchPredictions()
    pushed.uri, predictions.uri = str(folder / "pushed"), str(folder / "predictions")
    (folder / "pushed").mkdir()
    result = PushResult(pushed=False, version=None, served=served, registry=registry.uri, note="")
    (folder / "pushed" / PUSHED_FILE).write_text(result.model_dump_json())
    config = BatchPredictionConfig.model_validate({"source": {"root": str(photos)}, "out": f"{folder}/out/{{version}}"})
    properties = {"batch_config": config.model_dump_json(), "registry": registry.uri, "code": ""}
    context = BaseBeamExecutor.Context(beam_pipeline_args=ONE_MACHINE, unique_id="1")
    Executor(context).Do({"pushed_model": [pushed]}, {"predictions": [predictions]}, properties)
    return predictions


def test_the_served_version_predicts_and_the_artifact_has_the_account(
    masking: Registry, photos: Path, tmp_path: Path
) -> None:
    artifact = do(masking, photos, tmp_path, served=1)
    assert (tmp_path / "out" / "1" / "masks" / "deep" / "b.png.mask.png").is_file()
    assert artifact.get_int_custom_property("predicted") == 4
    assert artifact.get_string_custom_property("model_version") == "1"
    kept = sorted(path.relative_to(artifact.uri).as_posix() for path in Path(artifact.uri).rglob("*") if path.is_file())
    assert kept == ["index/part-00000-of-00001.parquet", "rejected.jsonl", "summary.json"]


def test_nothing_is_predicted_where_nothing_is_served(
    masking: Registry, photos: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    artifact = do(masking, photos, tmp_path, served=None)
    assert "nothing is predicted: no version is served" in caplog.messages
    assert Counts.model_validate_json(Path(artifact.uri, "summary.json").read_text()).images == 0
    assert not (tmp_path / "out").exists()
