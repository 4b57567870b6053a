"""An engine that loses its workers, its job server or its purpose in the middle of a step."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from common.errors import UserError
from pipeline.beam.config import FlinkBeam
from pipeline.beam.engine import beam_engine
from pipeline.beam.jobs import cancel_jobs, job_name_argument
from tests.support.beam_server import ADDRESS, PORTS, beam_server, java_processes, jobs, need_engine

pytestmark = pytest.mark.slow
FLINK = FlinkBeam(job_server=ADDRESS, parallelism=1)
NAME = "transform-7-0123abcd"


def run(work: Callable[[int], Any]) -> None:
    """Runs a step of one stage on Flink."""
    with beam_engine(FLINK) as arguments:
        pipeline = beam.Pipeline(options=PipelineOptions([*arguments, job_name_argument(NAME)]))
        _ = pipeline | beam.Create([1]) | beam.Reshuffle() | beam.Map(work)
        pipeline.run().wait_until_finish()


def once_written(sign: Path, act: Callable[[], None]) -> threading.Thread:
    """Acts as soon as a worker has written the file; returns the thread that waits for that."""

    def wait() -> None:
        while not sign.exists():
            time.sleep(0.2)
        act()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


# Functions inside the tests travel to the workers by value; those of a test's module would have to be imported there.


def test_workers_that_always_die_end_the_step_with_one_sentence(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    need_engine("flink")
    caplog.set_level("INFO", "segpipe.progress")

    def die(_: int) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    with (
        beam_server(tmp_path),
        pytest.raises(UserError, match=r"^Beam workers died while they computed, as if .* lower"),
    ):
        run(die)
    told = "a Beam worker was killed (signal 9), as the system does if memory runs out; the engine tries its work again"
    assert told in caplog.messages


def test_a_job_server_that_is_gone_ends_the_step_with_one_sentence(tmp_path: Path) -> None:
    need_engine("flink")
    sign = str(tmp_path / "at-work")

    def wait(_: int) -> None:
        Path(sign).touch()
        time.sleep(300)

    with beam_server(tmp_path) as server:
        once_written(Path(sign), lambda: os.kill(java_processes(server.pid, "FlinkJobServerDriver")[0], signal.SIGKILL))
        with pytest.raises(UserError, match=f"^beam.job_server: {ADDRESS} stopped answering while a step ran on it"):
            run(wait)


def test_a_job_is_cancelled_by_its_name(tmp_path: Path) -> None:
    need_engine("flink")
    sign = str(tmp_path / "at-work")

    def wait(_: int) -> None:
        Path(sign).touch()
        time.sleep(300)

    with beam_server(tmp_path, "--task-managers", "1"):
        flink = FLINK.model_copy(update={"master": f"localhost:{PORTS['--rest-port']}"})
        cancelling = once_written(Path(sign), lambda: cancel_jobs(flink, NAME))
        with pytest.raises(RuntimeError, match="CANCELLED"):
            run(wait)
        cancelling.join(60)  # The job server tells this process first, and then Flink is asked.
        assert jobs() == {NAME: "CANCELED"}
