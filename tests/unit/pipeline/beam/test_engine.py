"""What runs beside Beam's steps."""

from __future__ import annotations

import logging

import pytest

from common import progress
from pipeline.beam import worker_count
from pipeline.beam.config import DataflowBeam, FlinkBeam, LocalBeam
from pipeline.beam.engine import beam_engine, forks


def test_the_number_that_all_means_is_reported_with_its_reason(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, progress.LOGGER_NAME)
    monkeypatch.setattr(worker_count, "cores", lambda: 1)
    monkeypatch.setattr(worker_count, "free_memory", lambda: 5_000_000_000)
    with beam_engine(LocalBeam(workers="all")) as arguments:
        assert not [argument for argument in arguments if "workers" in argument]
    assert caplog.messages == ["beam.workers: all is 1 (1 core, 5.0 GB of memory free, 1.0 GB a worker)"]


def test_an_engine_on_this_machine_gets_a_pool_and_another_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.beam.worker_process.import_ahead", lambda: None)
    with beam_engine(FlinkBeam()) as arguments:
        assert [argument for argument in arguments if argument.startswith("--environment_config=127.0.0.1:")]
    with beam_engine(FlinkBeam(environment="external")) as arguments:
        assert "--environment_config=localhost:50000" in arguments


def test_workers_are_forked_for_this_machine_alone() -> None:
    dataflow = DataflowBeam(project="p", region="r", temp_location="gs://b", image="i")
    assert [forks(beam) for beam in (LocalBeam(), LocalBeam(workers=2), FlinkBeam(), dataflow)] == [
        False,
        True,
        True,
        False,
    ]
