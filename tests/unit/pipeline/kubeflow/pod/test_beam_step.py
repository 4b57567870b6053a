"""What a step in a pod gets for the engine that its variable names."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from common.errors import UserError
from pipeline.beam.arguments import BEAM_ARGUMENTS
from pipeline.kubeflow.names import BEAM
from pipeline.kubeflow.pod import launcher
from pipeline.kubeflow.pod.beam_step import beam_step
from tests.support.job_server import JobServer, running_job_server

URI = "minio://bucket/root/pipeline/run/transform/7/graph"
GIVEN = {"outputs": {"artifacts": {"graph": {"artifacts": [{"uri": URI}]}}}}


@pytest.fixture(autouse=True)
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The pod's own disk."""
    monkeypatch.setitem(launcher.LOCAL_ROOTS, "minio://", f"{tmp_path}/disk/")
    return f"{tmp_path}/disk/bucket/root/pipeline/run/transform/7/graph"


def on_flink(monkeypatch: pytest.MonkeyPatch, **more: str) -> None:
    monkeypatch.setenv(BEAM, json.dumps({"runner": "flink", "environment": "external", **more}))


def test_without_the_variable_a_step_runs_as_compiled(disk: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(BEAM, raising=False)
    with beam_step(GIVEN, BEAM_ARGUMENTS, keep_uris=False) as step:
        assert step.arguments == BEAM_ARGUMENTS
        assert step.paths.to_local(URI) == disk


def test_a_step_without_beam_has_no_engine(disk: str, monkeypatch: pytest.MonkeyPatch) -> None:
    on_flink(monkeypatch, job_server="127.0.0.1:1")
    with beam_step(GIVEN, (), keep_uris=False) as step:
        assert (step.arguments, step.paths.to_local(URI)) == ((), disk)


def test_an_engine_gets_staged_artifacts_and_a_job_with_the_attempts_name(
    tmp_path: Path, disk: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_job_server(JobServer()) as address:
        on_flink(monkeypatch, job_server=address, staging=str(tmp_path / "shared"))
        with beam_step(GIVEN, BEAM_ARGUMENTS, keep_uris=False) as step:
            (attempt,) = (tmp_path / "shared").iterdir()
            assert f"--job_name={attempt.name}" in step.arguments
            assert step.paths.to_local(URI).startswith(f"{attempt}/")
            Path(step.paths.to_local(URI)).mkdir(parents=True)
    assert Path(disk).is_dir()


def test_a_job_server_that_is_gone_is_told_before_anything_is_staged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        closed = f"127.0.0.1:{listening.getsockname()[1]}"
    on_flink(monkeypatch, job_server=closed, staging=str(tmp_path / "shared"))
    with (
        pytest.raises(UserError, match=f"beam.job_server: no answer from {closed}"),
        beam_step(GIVEN, BEAM_ARGUMENTS, keep_uris=False),
    ):
        pass
    assert not (tmp_path / "shared").exists()
