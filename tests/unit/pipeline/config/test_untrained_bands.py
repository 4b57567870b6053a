"""What cannot work on bands yet says so before anything is read or written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from common.errors import UserError
from pipeline.cli.preview import write_preview
from pipeline.config.run_config import RunConfig, load_config
from pipeline.config.untrained_bands import refuse_bands
from pipeline.local.run import run_pipeline


@pytest.mark.parametrize(
    "command",
    [
        lambda config: run_pipeline(config, Console()),
        lambda config: write_preview(config, config.workspace_dir / "preview.png"),
    ],
    ids=["run", "preview"],
)
def test_a_command_that_needs_the_network_refuses_bands(tmp_path: Path, command: Callable[[RunConfig], object]) -> None:
    overrides = ["data.bands={names: [red, nir]}", f"workspace={tmp_path / 'run'}"]
    config = load_config("pipeline/configs/sample.yaml", overrides)
    with pytest.raises(UserError, match=r"data\.bands is read by `segpipe check` only"):
        command(config)
    assert not (tmp_path / "run").exists()


def test_8_bit_rgb_is_not_refused() -> None:
    refuse_bands(load_config("pipeline/configs/sample.yaml"))
