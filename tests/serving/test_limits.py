"""What one client may ask for, so that others are answered too."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from registry.store import Registry
from tests.support.hostile_pictures import inflating_png
from tests.support.serving import OPTIONS, Hosted, classes_in, picture, predict_request, wait_until

SLOW = picture(1800, 1800)
Host = Callable[..., Hosted]
Code = grpc.StatusCode


@pytest.fixture(scope="module")
def modest(exported: Path) -> Iterator[Hosted]:
    """A server that takes two pictures at a time, of 50 kB together."""
    with Hosted(Registry(str(exported)), limits={"pictures": 2, "body_bytes": 50_000}) as server:
        yield server


def in_progress(server: Hosted) -> int:
    lines = server.get("/monitoring/prometheus/metrics")[1].decode().splitlines()
    return int(sum(float(line.split()[1]) for line in lines if line.startswith("segpipe_requests_in_progress ")))


def refused(server: Hosted, *pictures: bytes, seconds: float = 60) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        server.predict(*pictures, seconds=seconds)
    return caught.value.code(), caught.value.details()


def test_a_request_of_too_many_pictures_is_refused(modest: Hosted) -> None:
    server = modest
    text = "the request holds 3 images, and this server takes 2 at a time: send several requests"
    assert refused(server, *[picture()] * 3) == (Code.INVALID_ARGUMENT, text)
    assert server.predict_json(*[picture()] * 3) == (400, {"error": text})
    assert server.predict_json(*[picture()] * 2)[0] == 200


def test_a_body_over_the_limit_is_refused_in_both_protocols(modest: Hosted) -> None:
    server = modest
    status, body = server.post("/v1/models/tiny:predict", b" " * 50_001)
    assert status == 413
    assert b'"error"' in body
    assert refused(server, b"x" * 50_001)[0] == Code.RESOURCE_EXHAUSTED
    assert server.predict_json(picture())[0] == 200


def test_a_body_that_says_it_is_small_and_is_not_is_cut_off(modest: Hosted) -> None:
    address = modest.http.removeprefix("http://")
    connection = http.client.HTTPConnection(address, timeout=60)
    connection.request("POST", "/v1/models/tiny:predict", iter([b" " * 1000] * 100), encode_chunked=True)
    assert connection.getresponse().status == 413
    connection.close()


def test_more_requests_than_fit_are_sent_away_at_once(host: Host, registry: Registry) -> None:
    server = host(registry, limits={"requests": 1})
    slow = threading.Thread(target=server.predict, args=(SLOW,))
    slow.start()
    wait_until(lambda: in_progress(server) == 1)
    began = time.monotonic()
    text = "1 request is waiting or running: try again later"
    assert refused(server, picture()) == (Code.RESOURCE_EXHAUSTED, text)
    assert server.predict_json(picture()) == (429, {"error": text})
    assert time.monotonic() - began < 5
    slow.join()
    assert server.predict_json(picture())[0] == 200


def test_a_request_that_takes_too_long_is_given_up(host: Host, registry: Registry) -> None:
    server = host(registry, limits={"seconds": 0.3})
    text = "the deadline passed before the response was ready"
    assert server.predict_json(SLOW) == (504, {"error": text})
    assert refused(server, SLOW) == (Code.DEADLINE_EXCEEDED, text)
    wait_until(lambda: in_progress(server) == 0)
    wait_until(lambda: server.predict_json(picture())[0] == 200)


def test_a_clients_own_deadline_ends_its_request_and_frees_the_worker(host: Host, registry: Registry) -> None:
    server = host(registry, batching={"workers": 1})
    began = time.monotonic()
    assert refused(server, SLOW, seconds=0.3)[0] == Code.DEADLINE_EXCEEDED
    assert server.predict_json(picture())[0] == 200
    assert time.monotonic() - began < seconds_of(server, SLOW)


def seconds_of(server: Hosted, encoded: bytes) -> float:
    began = time.monotonic()
    server.predict(encoded)
    return time.monotonic() - began


def test_a_body_that_does_not_come_is_not_waited_for(host: Host, registry: Registry) -> None:
    server = host(registry, limits={"seconds": 0.5})
    port = int(server.http.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(b"POST /v1/models/tiny:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        answer = connection.recv(10_000)
    assert answer.startswith(b"HTTP/1.1 504 ")


def test_pictures_that_inflate_to_gigabytes_hold_up_nobody(server: Hosted) -> None:
    bomb = inflating_png(1200, megabytes=24)
    with ThreadPoolExecutor(4) as pool:
        began = time.monotonic()
        bombs = [pool.submit(refused, server, bomb) for _ in range(4)]
        assert classes_in(server.predict(picture()).outputs["mask_bytes"].string_val[0]) == {1}
        assert {bomb.result() for bomb in bombs} == {
            (Code.INVALID_ARGUMENT, "picture refused: it holds more data than its pixels can take")
        }
    assert time.monotonic() - began < 10


def test_one_bad_picture_does_not_fail_the_requests_it_is_run_with(host: Host, registry: Registry) -> None:
    server = host(registry, batching={"pictures": 8, "wait_seconds": 0.5, "workers": 1})
    bad = [b"no picture", picture()[:80]]
    with grpc.insecure_channel(server.grpc, OPTIONS) as channel, ThreadPoolExecutor(8) as pool:
        from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

        predict = PredictionServiceStub(channel).Predict
        calls = [
            pool.submit(predict, predict_request(encoded), timeout=60)
            for encoded in (picture(40, 56), bad[0], picture(64, 24), bad[1], picture(24, 24, "JPEG"))
        ]
        answers = [call.exception() or call.result() for call in calls]
    assert [isinstance(answer, grpc.RpcError) for answer in answers] == [False, True, False, True, False]
    for index in (0, 2, 4):
        assert classes_in(answers[index].outputs["mask_bytes"].string_val[0]) == {1}  # type: ignore[union-attr]
    for index in (1, 3):
        assert answers[index].code() == Code.INVALID_ARGUMENT  # type: ignore[union-attr]
    page = server.get("/monitoring/prometheus/metrics")[1].decode()
    assert 'segpipe_batch_requests_bucket{le="4.0"} 0.0' in page, "they were run together"
