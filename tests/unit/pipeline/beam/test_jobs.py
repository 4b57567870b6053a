"""Jobs that are cancelled by their name, at a job server and a Flink in this process."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator

import pytest
from apache_beam.portability.api import beam_job_api_pb2

from pipeline.beam.config import FlinkBeam
from pipeline.beam.jobs import cancel_jobs
from tests.support.job_server import JobServer, running_job_server

RUNNING, DONE = beam_job_api_pb2.JobState.RUNNING, beam_job_api_pb2.JobState.DONE


@pytest.fixture
def job_server() -> Iterator[tuple[JobServer, str]]:
    """Knows three jobs, two of one name."""
    servicer = JobServer(("a", "mine", RUNNING), ("b", "mine", DONE), ("c", "other", RUNNING))
    with running_job_server(servicer) as address:
        yield servicer, address


@pytest.fixture
def flink() -> Iterator[tuple[dict[str, str], str]]:
    """Flink's REST API: the state of each job by its id, and its address; the job with the id `x` is another one's."""
    states = {"a": "RUNNING", "b": "FAILED", "x": "RUNNING"}

    class Rest(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            jobs = [{"jid": id, "name": "other" if id == "x" else "mine", "state": s} for id, s in states.items()]
            self._answer(json.dumps({"jobs": jobs}).encode())

        def do_PATCH(self) -> None:
            states[self.path.removeprefix("/jobs/").removesuffix("?mode=cancel")] = "CANCELED"
            self._answer(b"{}")

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Rest) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield states, f"127.0.0.1:{server.server_port}"
        server.shutdown()


def test_running_jobs_of_the_name_are_cancelled_in_both(
    job_server: tuple[JobServer, str], flink: tuple[dict[str, str], str]
) -> None:
    cancel_jobs(FlinkBeam(job_server=job_server[1], master=flink[1]), "mine")
    assert job_server[0].cancelled == ["a"]
    assert flink[0] == {"a": "CANCELED", "b": "FAILED", "x": "RUNNING"}


def test_without_flinks_address_it_is_said_that_the_job_may_go_on(
    job_server: tuple[JobServer, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "segpipe.progress")
    cancel_jobs(FlinkBeam(job_server=job_server[1]), "mine")
    assert caplog.messages == ["jobs named mine may go on in Flink, for beam.master, its REST address, is not set"]


def test_what_does_not_answer_is_reported_and_does_not_end_the_step(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "segpipe.progress")
    cancel_jobs(FlinkBeam(job_server="127.0.0.1:1", master="127.0.0.1:1"), "mine")
    assert caplog.messages[-1].startswith(
        "jobs named mine could not be cancelled in the Flink at 127.0.0.1:1: <urlopen"
    )
