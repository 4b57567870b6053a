"""`segpipe convert-weights`: the file that it writes, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from components.trainer.architectures import Encoder
from components.trainer.models.encoders import network_with_weights
from pipeline.cli.main import cli
from tests.support.safetensors import write_safetensors
from tests.unit.trainer.models.published_segformer import published_shapes, values


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["convert-weights", *map(str, arguments)])


@pytest.mark.slow
def test_the_written_file_is_what_an_encoder_starts_from(tmp_path: Path) -> None:
    network = network_with_weights(Encoder(name="mit_b0", weights="none"), 32, 32)
    arrays = {name: values(name, shape) for name, shape in published_shapes(network)}
    source = write_safetensors(tmp_path / "model.safetensors", arrays)
    result = run("mit_b0", source, "--out", tmp_path / "out" / "mit_b0.h5")
    assert result.exit_code == 0, result.output
    assert "mit_b0.h5 is written: 3,319,392 weights of mit_b0" in result.output
    network_with_weights(Encoder(name="mit_b0", weights=str(tmp_path / "out" / "mit_b0.h5")), 32, 32)


def test_an_interruption_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(name: str, arrays: object, source: str, target: Path) -> int:
        target.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr("components.trainer.models.weights_conversion.convert_weights", interrupted)
    source = write_safetensors(tmp_path / "model.safetensors", {"a": np.zeros(1, np.float32)})
    (tmp_path / "mit_b0.h5").write_bytes(b"before")
    result = run("mit_b0", source, "--out", tmp_path / "mit_b0.h5")
    assert (result.exit_code, result.output) == (130, "interrupted; run the same command to start again\n")
    assert (tmp_path / "mit_b0.h5").read_bytes() == b"before"
    assert {path.name for path in tmp_path.iterdir()} == {"mit_b0.h5", "model.safetensors"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("mit_b0", "none.safetensors", "--out", "{}/a.h5"), "cannot read none.safetensors: No such file"),
        (("mit_b0", "none.safetensors", "--out", "{}/a.txt"), "does not end in .h5; name another file with --out"),
        (("resnet50", "none.safetensors"), "'resnet50' is not one of 'mit_b0', 'mit_b1', 'mit_b2'"),
    ],
)
def test_what_cannot_be_converted_is_said_in_a_sentence(
    arguments: tuple[str, ...], sentence: str, tmp_path: Path
) -> None:
    result = run(*(argument.format(tmp_path) for argument in arguments))
    assert result.exit_code != 0
    assert sentence in " ".join(result.output.split())
    assert not (tmp_path / "a.h5").exists()
