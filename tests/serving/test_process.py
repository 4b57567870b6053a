"""The process: how it ends, what it says, and what its clients see when it is killed."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from registry.store import Registry
from tests.support.serving import Served, picture, wait_until

SLOW = picture(1600, 1600)


@pytest.fixture
def process(registry: Registry) -> Iterator[Served]:
    with Served(registry.uri) as served:
        yield served


@pytest.fixture(scope="module")
def shared_process(exported: Path) -> Iterator[Served]:
    """A process that no test ends."""
    with Served(str(exported)) as served:
        yield served


class Asking(threading.Thread):
    """A slow request under way."""

    def __init__(self, server: Served, encoded: bytes = SLOW) -> None:
        super().__init__()
        self.server, self.encoded = server, encoded
        self.code: grpc.StatusCode | None = None
        self.start()
        wait_until(lambda: b"segpipe_requests_in_progress 1.0" in server.get("/monitoring/prometheus/metrics")[1])

    def run(self) -> None:
        try:
            self.server.predict(self.encoded)
            self.code = grpc.StatusCode.OK
        except grpc.RpcError as error:
            self.code = error.code()


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_a_signal_lets_running_requests_end_and_takes_no_others(process: Served, number: signal.Signals) -> None:
    asking = Asking(process)
    process.send(number)
    process.wait_for_log("stopping grace_seconds=20.000")
    with pytest.raises(OSError):
        wait_until(lambda: process.get("/readyz")[0] == 0)
    assert process.process.wait(60) == 0
    asking.join()
    assert asking.code == grpc.StatusCode.OK
    assert "stopped finished=True" in process.log
    assert "Traceback" not in process.log


@pytest.mark.slow
def test_what_runs_longer_than_the_grace_period_is_cut_off(registry: Registry) -> None:
    with Served(registry.uri, "--grace", "0.2") as process:
        asking = Asking(process, picture(1900, 1900))
        began = time.monotonic()
        assert process.end() == 0
        assert time.monotonic() - began < 5
        asking.join()
        assert asking.code in (grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAVAILABLE)


@pytest.mark.slow
def test_a_second_signal_ends_it_at_once(process: Served) -> None:
    asking = Asking(process)
    process.send(signal.SIGINT)
    process.wait_for_log("stopping")
    began = time.monotonic()
    process.send(signal.SIGINT)
    assert process.process.wait(10) == 128 + signal.SIGINT
    assert time.monotonic() - began < 2
    asking.join()
    assert asking.code == grpc.StatusCode.UNAVAILABLE


@pytest.mark.slow
def test_a_client_of_a_killed_server_sees_unavailable_and_the_next_server_answers(registry: Registry) -> None:
    with Served(registry.uri) as process:
        asking = Asking(process)
        process.send(signal.SIGKILL)
        asking.join()
        assert asking.code == grpc.StatusCode.UNAVAILABLE
        process.process.wait()
        ports = [address.rpartition(":")[2] for address in (process.http, process.grpc)]
    with Served(registry.uri, "--port", ports[0], "--grpc-port", ports[1]) as process:
        assert process.predict(picture()).model_spec.version.value == 1


@pytest.mark.parametrize("option", ["--port", "--grpc-port"])
def test_a_port_in_use_is_told_in_one_sentence(tmp_path: Path, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "pipeline.cli.main", "serve", "--registry", str(tmp_path)]
        ports = {"--port": "0", "--grpc-port": "0"} | {option: str(port)}
        options = [text for pair in ports.items() for text in pair]
        began = time.monotonic()
        done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert time.monotonic() - began < 5, "it is told before TensorFlow is loaded"
    assert done.returncode == 1
    assert done.stderr == (
        f"error: cannot listen on 127.0.0.1 port {port}: Address already in use; name another with {option}\n"
    )


def test_an_option_out_of_its_range_is_told_by_name(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pipeline.cli.main", "serve", "--registry", str(tmp_path), "--workers", "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "error: --workers: must be a whole number from 1 to 64, not 0\n"


@pytest.mark.parametrize(
    "line", [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01 this is TLS", b"GET / HTTP/9\r\n\r\n"]
)
def test_what_is_no_http_is_refused_without_a_word_in_the_log(shared_process: Served, line: bytes) -> None:
    with socket.create_connection(("127.0.0.1", int(shared_process.http.rpartition(":")[2]))) as connection:
        connection.sendall(line)
        assert connection.recv(1000).startswith(b"HTTP/1.0 400 ")
    assert shared_process.get("/healthz")[0] == 200
    assert len(shared_process.log.splitlines()) == 3


def test_without_a_served_version_the_log_says_so_once(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with Served(str(tmp_path / "empty"), until_ready=False) as process:
        process.wait_for_log("nothing_to_serve")
        time.sleep(1)
        told = [line for line in process.log.splitlines() if "nothing_to_serve" in line]
    assert len(told) == 1
    assert told[0].endswith(f'reason="the registry {tmp_path}/empty serves no version yet"')


def test_the_log_has_an_event_a_line_and_nothing_else(process: Served) -> None:
    assert process.end() == 0
    events = [line.split()[2] for line in process.log.splitlines()]
    assert events == ["listening", "version_loaded", "labels_moved", "stopping", "version_unloaded", "stopped"]
