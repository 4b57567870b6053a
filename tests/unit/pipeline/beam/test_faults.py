"""Errors that an engine has caused, in one sentence."""

from __future__ import annotations

import grpc
import pytest

from common.errors import UserError
from pipeline.beam.config import FlinkBeam, SparkBeam
from pipeline.beam.faults import engine_fault_in

FLINK = FlinkBeam(job_server="flink:8099", parallelism=4)


class Refused(grpc.RpcError):
    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNAVAILABLE


def caused_by(error: Exception) -> Exception:
    outer = RuntimeError("Pipeline failed")
    outer.__cause__ = error
    return outer


def test_a_job_server_that_is_gone_is_named_wherever_the_error_lies() -> None:
    told = str(engine_fault_in(caused_by(Refused()), FLINK))
    assert told.startswith("beam.job_server: flink:8099 stopped answering while a step ran on it; its own log has the")


# As Beam's job server words them.
TEXTS = {
    "Pipeline a_1 failed in state FAILED: org.apache.beam.vendor.grpc.v1p60p1.io.grpc.StatusRuntimeException: "
    "org.apache.beam.vendor.grpc.v1p60p1.io.grpc.StatusRuntimeException: CANCELLED: client cancelled": (
        "Beam workers died while they computed, as if the system had killed them when memory ran out: lower "
        "beam.parallelism, data.limits.max_pixels or data.shard_bytes, or give the workers more memory; then run the "
        "same command again to resume"
    ),
    "java.util.concurrent.ExecutionException: java.lang.OutOfMemoryError: Java heap space\n\tat x": (
        "flink ran out of memory (Java heap space): give its processes more, then run the same command again to resume"
    ),
    "org.apache.flink.runtime.jobmanager.scheduler.NoResourceAvailableException: Could not acquire the minimum": (
        "flink has no 4 free slots for beam.parallelism: start more TaskManagers, or lower beam.parallelism, then run "
        "the same command again to resume"
    ),
}


@pytest.mark.parametrize("text", TEXTS)
def test_what_the_engine_reports_becomes_a_remedy(text: str) -> None:
    assert str(engine_fault_in(RuntimeError(text), FLINK)) == TEXTS[text]


def test_an_error_of_the_step_stays_what_it_is() -> None:
    assert engine_fault_in(caused_by(UserError("the data is bad: mend it")), FLINK) is None
    assert engine_fault_in(ValueError("a bug"), SparkBeam()) is None
