"""The client's ways, over real sockets: against the embedded server, and against servers that fail on purpose."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from PIL import Image

from registry.store import Registry
from segpipe_client import (
    AsyncSegmentationClient,
    DeadlineExceededError,
    PictureRefusedError,
    Segmentation,
    SegmentationClient,
    SegmentationError,
    ServerUnavailableError,
    VersionState,
)
from segpipe_client.messages import PREDICT
from tests.support.serving import CLASS_NAMES, MODEL, Hosted, picture, predict_request

WAYS = ("http", "http async", "grpc", "grpc async", "v2+http", "v2+grpc async")
SLOW = picture(1800, 1800)
ASSERTION = rb'{"error": "assertion failed: [picture refused] [7]\n\t [[{{node a}}]]"}'
every_way = pytest.mark.parametrize("way", WAYS)


class Blocking:
    """The client of one of the ways, called like the plain one."""

    def __init__(self, way: str, http: str, grpc: str, path: str = f"/v1/models/{MODEL}", **options: Any) -> None:
        scheme, _, is_async = way.partition(" ")
        host = http.removeprefix("http://") if scheme.endswith("http") else grpc
        if scheme.startswith("v2+"):
            path = path.replace("/v1/", "/v2/").replace("/labels/", "/versions/")
        self._url = f"{scheme}://{host}{path}"
        self._options = options
        self._is_async = bool(is_async)

    def predict(self, *arguments: Any, **options: Any) -> Segmentation:
        return self._call("predict", *arguments, **options)  # type: ignore[no-any-return]

    def predict_many(self, *arguments: Any, **options: Any) -> list[Any]:
        return self._call("predict_many", *arguments, **options)  # type: ignore[no-any-return]

    def model_states(self) -> list[VersionState]:
        return self._call("model_states")  # type: ignore[no-any-return]

    def model_version(self) -> int:
        return self._call("model_version")  # type: ignore[no-any-return]

    def _call(self, method: str, *arguments: Any, **options: Any) -> Any:
        if self._is_async:
            return asyncio.run(self._call_async(method, *arguments, **options))
        with SegmentationClient(self._url, **self._options) as client:
            return getattr(client, method)(*arguments, **options)

    async def _call_async(self, method: str, *arguments: Any, **options: Any) -> Any:
        async with AsyncSegmentationClient(self._url, **self._options) as client:
            return await getattr(client, method)(*arguments, **options)


@pytest.fixture(scope="module")
def narrow(exported: Path) -> Iterator[Hosted]:
    """A server that takes one request at a time, and no large one."""
    with Hosted(Registry(str(exported)), limits={"requests": 1, "body_bytes": 1_000_000}) as hosted:
        yield hosted


@pytest.fixture(scope="module")
def hasty(exported: Path) -> Iterator[Hosted]:
    """A server that gives a request little time."""
    with Hosted(Registry(str(exported)), limits={"seconds": 0.3}) as hosted:
        yield hosted


def client_of(server: Hosted, way: str, **options: Any) -> Blocking:
    return Blocking(way, server.http, server.grpc, **options)


@every_way
def test_each_way_gives_the_same_segmentation(server: Hosted, way: str) -> None:
    result = client_of(server, way).predict(picture(40, 56))
    assert result.mask_HW.shape == (40, 56)
    assert result.mask_HW.dtype == np.uint8
    assert set(np.unique(result.mask_HW)) == {1}
    assert result.class_names == CLASS_NAMES
    assert result.fractions == {"ground": 0, "roof": 1, "tree": 0, "wäter": 0}
    assert result.mean_confidence == pytest.approx(1)
    assert result.model_version == 1
    assert result.overlay().size == (56, 40)
    (feature,) = result.polygons()["features"]
    assert feature["properties"] == {"class": "roof", "class_index": 1, "pixels": 40 * 56}


@every_way
def test_a_picture_may_be_a_path_bytes_pixels_or_a_pillow_image(server: Hosted, way: str, tmp_path: Path) -> None:
    data = picture(24, 40)
    (tmp_path / "picture.png").write_bytes(data)
    image = Image.open(io.BytesIO(data))
    pictures = [tmp_path / "picture.png", str(tmp_path / "picture.png"), data, np.asarray(image), image]
    results = client_of(server, way).predict_many(pictures)
    assert [result.mask_HW.shape for result in results] == [(24, 40)] * 5


@every_way
def test_an_address_may_name_a_version_or_a_label(server: Hosted, way: str) -> None:
    for choice in ("/versions/1", "/labels/stable"):
        client = client_of(server, way, path=f"/v1/models/{MODEL}{choice}")
        assert client.predict(picture()).model_version == 1
    with pytest.raises(SegmentationError, match=r"Specific\(tiny, 2\)") as caught:
        client_of(server, way, path=f"/v1/models/{MODEL}/versions/2").predict(picture())
    assert type(caught.value) is SegmentationError


@every_way
def test_the_version_and_the_states_of_a_model_are_read(server: Hosted, way: str) -> None:
    assert client_of(server, way).model_version() == 1
    assert client_of(server, way, path=f"/v1/models/{MODEL}/labels/stable").model_version() == 1
    for choice in ("", "/versions/1"):
        states = client_of(server, way, path=f"/v1/models/{MODEL}{choice}").model_states()
        assert states == [VersionState(1, "AVAILABLE", "")]


@every_way
def test_a_model_that_the_server_does_not_have_has_no_states(server: Hosted, way: str) -> None:
    for ask in ("model_states", "model_version"):
        with pytest.raises(SegmentationError, match="no such model or version, or not yet") as caught:
            getattr(client_of(server, way, path="/v1/models/other"), ask)()
        assert caught.value.code == "NOT_FOUND"


@every_way
def test_the_environment_s_proxies_may_be_passed_by(server: Hosted, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    for name in ("no_proxy", "NO_PROXY", "no_grpc_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert client_of(server, way, use_proxies=False).predict(picture()).model_version == 1
    with pytest.raises(ServerUnavailableError):
        client_of(server, way, patience=0).predict(picture())


@every_way
def test_names_of_classes_may_be_given(server: Hosted, way: str) -> None:
    names = ["a", "b", "c", "d"]
    assert client_of(server, way, classes=names).predict(picture()).class_names == tuple(names)


@every_way
def test_a_refused_picture_is_told_in_the_servers_sentence_and_not_sent_again(server: Hosted, way: str) -> None:
    bomb = picture()[:16] + (60_000).to_bytes(4, "big") * 2 + picture()[24:]
    with pytest.raises(PictureRefusedError, match=r"^picture refused: .*60000 .*over the limit of 4000000 pixels$"):
        client_of(server, way).predict(bomb)
    with pytest.raises(PictureRefusedError, match="picture"):
        client_of(server, way).predict(b"no picture")


@every_way
def test_of_many_pictures_the_refused_one_is_named(server: Hosted, way: str) -> None:
    pictures = [picture(), picture(24, 24), b"no picture", picture(32, 32)]
    with pytest.raises(PictureRefusedError) as caught:
        client_of(server, way).predict_many(pictures)
    assert caught.value.index == 2
    first, second, refused, last = client_of(server, way).predict_many(pictures, return_refused=True)
    assert [result.mask_HW.shape for result in (first, second, last)] == [(40, 56), (24, 24), (32, 32)]
    assert isinstance(refused, PictureRefusedError)
    assert refused.index == 2


@every_way
def test_a_body_over_the_servers_limit_is_refused_and_not_tried_again(narrow: Hosted, way: str) -> None:
    began = time.monotonic()
    with pytest.raises(PictureRefusedError, match=r"(?i)larger than max|size|large"):
        client_of(narrow, way).predict(b"x" * 5_000_000)
    assert time.monotonic() - began < 10


@every_way
def test_the_deadline_ends_a_request(server: Hosted, way: str) -> None:
    began = time.monotonic()
    with pytest.raises(DeadlineExceededError):
        client_of(server, way).predict(SLOW, timeout=0.3)
    assert time.monotonic() - began < 3


@every_way
def test_the_time_that_the_server_allows_ends_a_request_too(hasty: Hosted, way: str) -> None:
    with pytest.raises(DeadlineExceededError, match="the deadline passed before the response was ready"):
        client_of(hasty, way).predict(SLOW)


@every_way
def test_a_server_that_is_too_busy_is_asked_again(narrow: Hosted, way: str) -> None:
    results = client_of(narrow, way).predict_many([picture(400, 400)] * 4, concurrency=4)
    assert [result.model_version for result in results] == [1] * 4


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]  # type: ignore[no-any-return]


@every_way
def test_a_server_that_is_not_there_is_told_when_the_deadline_comes(way: str) -> None:
    port = free_port()
    client = Blocking(way, f"http://127.0.0.1:{port}", f"127.0.0.1:{port}", timeout=0.6)
    began = time.monotonic()
    with pytest.raises(ServerUnavailableError, match=r"\(tried \d+ times in 0\.\d+ s\)"):
        client.predict(picture())
    assert time.monotonic() - began < 3


class Scripted(ThreadingHTTPServer):
    """An HTTP server that gives the answers of a list, the last one for ever."""

    def __init__(self, *answers: tuple[int, dict[str, str], bytes], port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _ScriptedHandler)
        self.answers = list(answers)
        self.received: list[dict[str, str]] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1/models/tiny"

    def __enter__(self) -> Scripted:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _ScriptedHandler(BaseHTTPRequestHandler):
    server: Scripted

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append(dict(self.headers))
        status, headers, body = self.server.answers[0]
        del self.server.answers[: len(self.server.answers) > 1]
        if not status:
            return
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(OSError):
            for at in range(0, len(body), 200):
                self.wfile.write(body[at : at + 200])
                time.sleep(float(headers.get("Drip", 0)))

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def good(server: Hosted) -> bytes:
    """The body of a real answer, without names of classes, as an older model gives it."""
    _, document = server.predict_json(picture())
    del document["predictions"][0]["class_names"]
    return json.dumps(document).encode()


def rest(url: str, is_async: bool, **options: Any) -> Segmentation:
    host = url.removeprefix("http://").partition("/")[0]
    return Blocking("http async" if is_async else "http", host, "", **options).predict(picture())


both = pytest.mark.parametrize("is_async", [False, True])


@both
def test_a_server_that_comes_late_is_found(good: bytes, is_async: bool) -> None:
    port = free_port()
    with futures.ThreadPoolExecutor(1) as pool:
        result = pool.submit(rest, f"http://127.0.0.1:{port}/", is_async, timeout=30)
        time.sleep(1)
        assert not result.done()
        with Scripted((200, {}, good), port=port):
            assert result.result().mask_HW.shape == (40, 56)


@both
@pytest.mark.parametrize("status", [0, 429, 502, 503])
def test_busy_starting_and_dropped_answers_are_tried_again(good: bytes, is_async: bool, status: int) -> None:
    with Scripted((status, {}, b"<html>"), (status, {}, b'{"error": "later"}'), (200, {}, good)) as server:
        result = rest(server.url, is_async)
        assert len(server.received) == 3
    assert result.model_version is None, "as TensorFlow Serving"
    assert result.class_names == ("class 0", "class 1", "class 2", "class 3")


@both
def test_the_server_says_how_long_to_wait(good: bytes, is_async: bool) -> None:
    with Scripted((503, {"Retry-After": "1"}, b""), (200, {}, good)) as server:
        began = time.monotonic()
        rest(server.url, is_async)
        assert time.monotonic() - began >= 1
    with Scripted((503, {"Retry-After": "60"}, b'{"error": "no model"}')) as server:
        with pytest.raises(ServerUnavailableError, match=r"no model \(tried once\)"):
            rest(server.url, is_async)
        assert len(server.received) == 1


@both
@pytest.mark.parametrize(
    ("status", "body", "error", "words"),
    [
        (400, ASSERTION, PictureRefusedError, "^picture refused 7$"),
        (500, b'{"error": "broken"}', SegmentationError, r"^broken \(HTTP status 500\)$"),
        (
            404,
            b"<html>",
            SegmentationError,
            r"^the server has no such model or version, or not yet \(HTTP status 404\)$",
        ),
        (200, b'{"predictions": [1]}', SegmentationError, "not that of a segmentation model"),
        (200, b'{"predictions": []}', SegmentationError, "not that of a segmentation model"),
        (200, b"<html>", SegmentationError, "not that of a segmentation model"),
        (504, b"", DeadlineExceededError, "HTTP status 504"),
    ],
)
def test_other_answers_end_the_request_at_once(
    is_async: bool, status: int, body: bytes, error: type[Exception], words: str
) -> None:
    with Scripted((status, {}, body)) as server:
        with pytest.raises(error, match=words):
            rest(server.url, is_async)
        assert len(server.received) == 1


@both
def test_an_answer_that_drips_is_not_waited_for(good: bytes, is_async: bool) -> None:
    with Scripted((200, {"Drip": "0.2"}, good + b" " * 20_000)) as server:
        began = time.monotonic()
        with pytest.raises(DeadlineExceededError):
            rest(server.url, is_async, timeout=0.5)
        assert time.monotonic() - began < 3


@both
def test_headers_are_sent_along(good: bytes, is_async: bool) -> None:
    with Scripted((200, {}, good)) as server:
        rest(server.url, is_async, headers={"Authorization": "Bearer token"})
        assert server.received[0]["Authorization"] == "Bearer token"


class Backend(grpc.GenericRpcHandler):
    """A gRPC server of which the test says what it does; bytes in, bytes out."""

    def __init__(self, answer: Callable[[bytes, grpc.ServicerContext], bytes]) -> None:
        self._answer = answer

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        return grpc.unary_unary_rpc_method_handler(self._answer) if details.method == PREDICT else None


@contextlib.contextmanager
def backend(
    answer: Callable[[bytes, grpc.ServicerContext], bytes],
    credentials: grpc.ServerCredentials | None = None,
    port: int = 0,
) -> Iterator[str]:
    server = grpc.server(futures.ThreadPoolExecutor(4), handlers=[Backend(answer)])
    address = f"127.0.0.1:{port}"
    port = server.add_secure_port(address, credentials) if credentials else server.add_insecure_port(address)
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(0)


both_grpc = pytest.mark.parametrize("way", ["grpc", "grpc async"])


@pytest.fixture(scope="module")
def good_response(server: Hosted) -> bytes:
    return server.predict(picture()).SerializeToString()


@both_grpc
def test_a_grpc_server_that_comes_late_is_found(good_response: bytes, way: str) -> None:
    port = free_port()
    with futures.ThreadPoolExecutor(1) as pool:
        result = pool.submit(Blocking(way, "", f"127.0.0.1:{port}", timeout=30).predict, picture())
        time.sleep(1)
        assert not result.done()
        with backend(lambda *_: good_response, port=port):
            assert result.result().mask_HW.shape == (40, 56)


@both_grpc
@pytest.mark.parametrize("code", ["UNAVAILABLE", "RESOURCE_EXHAUSTED", "CANCELLED"])
def test_grpc_codes_of_a_server_that_may_come_back_are_tried_again(good_response: bytes, way: str, code: str) -> None:
    deadlines: list[float] = []

    def answer(_: bytes, context: grpc.ServicerContext) -> bytes:
        deadlines.append(context.time_remaining())
        time.sleep(1.1)  # gRPC tells the server whole seconds, rounded up.
        assert ("authorization", "Bearer token") in context.invocation_metadata()
        if len(deadlines) < 2:
            context.abort(grpc.StatusCode[code], "later")
        return good_response

    with backend(answer) as address:
        client = Blocking(way, "", address, headers={"Authorization": "Bearer token"}, timeout=8)
        assert client.predict(picture()).class_names == CLASS_NAMES
    assert 9 > deadlines[0] > deadlines[1] + 0.5 > 4, "each attempt has what is left of the time"


@both_grpc
@pytest.mark.parametrize(
    ("code", "error", "words"),
    [
        ("INVALID_ARGUMENT", PictureRefusedError, "^what it is$"),
        ("DEADLINE_EXCEEDED", DeadlineExceededError, "^what it is$"),
        ("NOT_FOUND", SegmentationError, r"no such model or version, or not yet \(what it is\)$"),
        ("UNIMPLEMENTED", SegmentationError, r"^what it is \(UNIMPLEMENTED\)$"),
    ],
)
def test_other_grpc_codes_end_the_request_at_once(way: str, code: str, error: type[Exception], words: str) -> None:
    calls: list[bytes] = []

    def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
        calls.append(request)
        context.abort(grpc.StatusCode[code], "what it is")
        raise AssertionError

    with backend(answer) as address, pytest.raises(error, match=words):
        Blocking(way, "", address).predict(picture())
    assert calls == [predict_request(picture()).SerializeToString()], "what the generated stubs would send"


@both_grpc
def test_an_answer_of_another_kind_of_model_is_told(way: str) -> None:
    with backend(lambda *_: b"") as address, pytest.raises(SegmentationError, match="it has no output class_fractions"):
        Blocking(way, "", address).predict(picture())


@both_grpc
def test_grpcs_trusts_the_authority_that_is_given_and_no_other(good_response: bytes, way: str, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("there is no openssl to make a certificate with")
    credentials = grpc.ssl_server_credentials([(key.read_bytes(), certificate.read_bytes())])
    with backend(lambda *_: good_response, credentials) as address:
        secure = way.replace("grpc", "grpcs")
        assert Blocking(secure, "", address, ca_file=certificate).predict(picture()).model_version == 1
        with pytest.raises(ServerUnavailableError):
            Blocking(secure, "", address, timeout=3).predict(picture())


def test_one_client_serves_many_threads(server: Hosted) -> None:
    for scheme, host in (("http", server.http.removeprefix("http://")), ("grpc", server.grpc)):
        with (
            SegmentationClient(f"{scheme}://{host}/v1/models/{MODEL}") as client,
            futures.ThreadPoolExecutor(8) as pool,
        ):
            shapes = [(16 + 8 * index, 24) for index in range(24)]
            results = list(pool.map(lambda shape: client.predict(picture(*shape)), shapes))
        assert [result.mask_HW.shape for result in results] == shapes
