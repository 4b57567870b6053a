"""The trial with real servers in processes of their own."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from common.errors import UserError
from components.serving_check import checks
from components.serving_check.checks import Trial, check_served
from components.serving_check.config import ServingCheckConfig
from components.serving_check.reference import Export, Reference
from components.serving_check.result import ServingCheckResult
from components.serving_check.sample_images import SampleImage
from components.serving_check.server import Place, ServerProcess
from tests.support.serving import MAX_PIXELS

EMBEDDED = ServingCheckConfig(engine="embedded")
PASSED = ServingCheckResult(
    engine="a server",
    pictures=3,
    agreement=1,
    milliseconds=20,
    rest_milliseconds=30,
    megabytes=200,
    refused=(),
    warmup_requests=1,
)


def trial(model: Path, pictures: list[SampleImage]) -> Trial:
    return Trial(str(model), "tiny", pictures, MAX_PIXELS, 0)


@pytest.mark.parametrize("mode", ["resize", pytest.param("tile", marks=pytest.mark.slow)])
def test_a_good_model_passes(models: Path, pictures: list[SampleImage], export: Export, mode: str) -> None:
    reference = Reference(str(models / mode), export._replace(in_tiles=mode == "tile"))
    result = check_served(trial(models / mode, pictures), lambda: reference, EMBEDDED)
    assert result.engine == "the embedded server" and result.pictures == 3
    assert result.agreement > 0.999
    assert 0 < result.milliseconds < 5000 and 0 < result.rest_milliseconds < 5000
    assert 1 < result.megabytes < 2000
    assert len(result.refused) == 4


@pytest.mark.slow
def test_a_server_that_gives_other_pixels_is_told_by_picture_and_share(
    models: Path, pictures: list[SampleImage], export: Export
) -> None:
    reference = Reference(str(models / "resize"), export)
    with pytest.raises(UserError, match=r"the masks of 3 of 3 images differ from the training graph's; for pair-\d "):
        check_served(trial(models / "other", pictures), lambda: reference, EMBEDDED)


@pytest.mark.slow
def test_tampered_weights_are_not_loaded(
    models: Path, pictures: list[SampleImage], export: Export, tmp_path: Path
) -> None:
    shutil.copytree(models / "resize", tmp_path / "model")
    (weights,) = (tmp_path / "model" / "variables").glob("*.data-*")
    weights.write_bytes(bytes(byte ^ 1 for byte in weights.read_bytes()))
    reference = Reference(str(models / "resize"), export)
    with pytest.raises(UserError, match="the embedded server does not load the model: TensorFlow cannot load it"):
        check_served(trial(tmp_path / "model", pictures), lambda: reference, EMBEDDED)


@pytest.mark.slow
def test_a_server_that_dies_is_told_with_the_end_of_its_log(
    models: Path, pictures: list[SampleImage], export: Export, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = ServerProcess.wait_until_loaded

    def and_kill(server: ServerProcess, place: Place, name: str) -> None:
        loaded(server, place, name)
        os.kill(server.pid, signal.SIGKILL)

    monkeypatch.setattr(ServerProcess, "wait_until_loaded", and_kill)
    reference = Reference(str(models / "resize"), export)
    with pytest.raises(UserError, match=r"the server exited with status -9; .*labels_moved stable=1"):
        check_served(trial(models / "resize", pictures), lambda: reference, EMBEDDED)


def test_a_server_that_does_not_start_is_told(
    models: Path, pictures: list[SampleImage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "tensorflow_model_server"
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    reference: Any = None
    with pytest.raises(UserError, match="tensorflow_model_server exited with the status 3"):
        check_served(trial(models / "resize", []), lambda: reference, ServingCheckConfig())


@pytest.mark.slow
def test_a_model_that_takes_what_is_hostile_is_told(
    models: Path, pictures: list[SampleImage], export: Export, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "hostile_inputs", lambda _: {"a good picture": pictures[0].encoded})
    reference = Reference(str(models / "resize"), export)
    with pytest.raises(UserError, match="over gRPC, a good picture must be rejected, but gets a mask"):
        check_served(trial(models / "resize", pictures), lambda: reference, EMBEDDED)


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        ({"max_milliseconds": 19}, "the median image takes 20 ms, but serving_check.max_milliseconds allows 19"),
        ({"max_megabytes": 199}, "memory grows by 200 MB, but serving_check.max_megabytes allows 199"),
    ],
)
def test_what_is_over_a_budget_is_told_with_both_figures(budget: dict[str, float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        checks._check_budgets(PASSED, ServingCheckConfig(**budget))  # type: ignore[arg-type]


def test_what_is_within_the_budgets_passes() -> None:
    checks._check_budgets(PASSED, ServingCheckConfig(max_milliseconds=20, max_megabytes=200))
