"""Missing weights are said at once: by `check`, and by `run` before its first step."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from common.errors import UserError
from pipeline.cli.check import check_data
from pipeline.config.run_config import RunConfig, load_config
from pipeline.dag.run_state import capture_run_state
from pipeline.local.run import run_pipeline
from tests.support.tiny import write_use_case

WEIGHTS = "nowhere/mobilenet.h5"
SENTENCE = f"there is no file {WEIGHTS}"


@pytest.fixture
def without_weights(tmp_path: Path) -> RunConfig:
    encoder = f"{{name: mobilenet, weights: {WEIGHTS}}}"
    overrides = [f"trainer.model={{type: encoder_unet, encoder: {encoder}}}", "transform.normalize=none"]
    return load_config(write_use_case(tmp_path), overrides)


def test_check_names_weights_that_are_not_there(without_weights: RunConfig) -> None:
    with pytest.raises(UserError, match=SENTENCE):
        check_data(without_weights)


def test_a_run_stops_before_its_first_step(without_weights: RunConfig) -> None:
    with pytest.raises(UserError, match=SENTENCE):
        run_pipeline(without_weights, Console(quiet=True))
    assert not (without_weights.workspace_dir / "artifacts").exists()


def test_other_content_in_the_file_makes_the_training_stale(without_weights: RunConfig, tmp_path: Path) -> None:
    encoder = without_weights.trainer.model.encoder.model_copy(update={"weights": str(tmp_path / "weights.h5")})
    model = without_weights.trainer.model.model_copy(update={"encoder": encoder})
    trainer = without_weights.trainer.model_copy(update={"model": model})
    config = without_weights.model_copy(update={"trainer": trainer})
    digests = set()
    for content in (b"one", b"two"):
        (tmp_path / "weights.h5").write_bytes(content)
        digests.add(capture_run_state(config).encoder_weights)
    assert len(digests) == 2
