"""Options of `serve` for the request log, checked before TensorFlow is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli.main import cli
from pipeline.cli.serve import _settings


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--log-sample", "0.5"], "--log-sample needs --log: the folder of the request log"),
        (["--log-images"], "--log-images needs --log"),
        (["--log", "log", "--log-image-days", "3"], "--log-image-days needs --log-images, without which no image is"),
        (["--log", "log", "--log-sample", "2"], "--log-sample: must be"),
        (["--log", "log", "--engine", "tensorflow_model_server"], "tensorflow_model_server writes a log of its own"),
        (["--log", "FILE/log"], "cannot write the request log"),
    ],
)
def test_wrong_options_are_told_by_name(tmp_path: Path, options: list[str], message: str) -> None:
    (tmp_path / "registry").mkdir()
    (tmp_path / "FILE").touch()
    words = [word.replace("FILE", str(tmp_path / "FILE")) for word in options]
    ports = ["--port", "0", "--grpc-port", "0"]
    result = CliRunner().invoke(cli, ["serve", "--registry", str(tmp_path / "registry"), *ports, *words])
    assert result.exit_code == 1
    assert message in result.output


def test_the_options_become_settings() -> None:
    options = {"log": "s3://bucket/log", "log_sample": 0.5, "log_images": True, "log_image_days": 3}
    log = _settings("registry", options).request_log
    assert log is not None
    assert (log.uri, log.sample, log.images, log.image_days, log.rows) == ("s3://bucket/log", 0.5, True, 3, 5000)
    assert _settings("registry", {"log": None, "log_images": False}).request_log is None
