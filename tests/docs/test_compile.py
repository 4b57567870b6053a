"""The command that compiles a pipeline prints what the guide to Kubeflow shows."""

from __future__ import annotations

import shlex
from pathlib import Path

from click.testing import CliRunner

from pipeline.cli.main import cli
from tests.docs.blocks import ROOT

OUT = "build/sample.yaml"


def test_the_command_of_the_guide_prints_what_is_shown(tmp_path: Path) -> None:
    block = (ROOT / "docs/kubeflow/guide.md").read_text().partition("```console\n$ segpipe compile")[2]
    command, *shown = block.partition("\n```")[0].splitlines()
    out = tmp_path / "sample.yaml"
    done = CliRunner().invoke(cli, ["compile", *shlex.split(command.replace(OUT, str(out)))])
    assert done.stdout.replace(str(out), OUT).splitlines() == shown
    assert "pipelineInfo" in out.read_text()
