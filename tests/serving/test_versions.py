"""The server beside its registry: versions that come, go, are tampered with, and are asked for all the while."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from registry.store import Registry
from tests.support.serving import BIRTH, Hosted, classes_in, picture, predict_request, wait_until

SLOW = picture(1600, 1600)
Host = Callable[..., Hosted]


class Clients:
    """Four apps that ask without a pause, two in each protocol, and remember every answer."""

    def __init__(self, server: Hosted) -> None:
        self.errors: list[str] = []
        self.versions: list[int] = []
        self._stop = threading.Event()
        self._server = server
        self._threads = [threading.Thread(target=self._ask, args=(ask,)) for ask in (self._grpc, self._rest) * 2]

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, ask: Callable[[], None]) -> None:
        try:
            ask()
        except Exception as error:  # noqa: BLE001
            self.errors.append(repr(error))

    def _grpc(self) -> None:
        with grpc.insecure_channel(self._server.grpc) as channel:
            predict, request = PredictionServiceStub(channel).Predict, predict_request(picture())
            while not self._stop.is_set():
                response = predict(request, timeout=60)
                version = response.model_spec.version.value
                assert classes_in(response.outputs["mask_bytes"].string_val[0]) == {version}
                self.versions.append(version)

    def _rest(self) -> None:
        while not self._stop.is_set():
            status, answer = self._server.predict_json(picture())
            assert status == 200, answer
            self.versions.append(answer["predictions"][0]["class_fractions"].index(1))


def tamper(registry: Registry, version: int) -> None:
    variables = Path(registry.version_location(version), "variables", "variables.data-00000-of-00001")
    data = bytearray(variables.read_bytes())
    data[len(data) // 2] ^= 1
    variables.write_bytes(data)


def counted(server: Hosted, name: str) -> float:
    lines = server.get("/monitoring/prometheus/metrics")[1].decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


@pytest.mark.slow
def test_versions_change_under_load_without_a_failed_request(host: Host, registry: Registry) -> None:
    server = host(registry)
    with Clients(server) as clients:
        for version in (2, 1, 2):
            registry.serve(version)
            wait_until(lambda version=version: set(clients.versions[-8:]) == {version})
    assert clients.errors == []
    assert len(clients.versions) > 30
    wait_until(lambda: server.states() == {1: "END", 2: "AVAILABLE"})


PUSH = """
import json, sys
from registry.store import Registry

registry = Registry(sys.argv[1])
manifest, _ = registry.push(sys.argv[2], **json.loads(sys.argv[3]))
registry.serve_in_place_of(1, manifest.version)
"""
BALLAST = 256 << 20  # So that a push takes long enough to be killed in the middle of it.


@pytest.mark.slow
def test_a_push_that_is_killed_halfway_leaves_the_old_version_answering_and_the_next_one_is_served(
    host: Host, registry: Registry, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    shutil.copytree(registry.version_location(2), model)
    shutil.copytree(registry.version_location(1), tmp_path / "first")
    registry = Registry(str(tmp_path / "one"))
    registry.push(str(tmp_path / "first"), **BIRTH)
    registry.serve(1)
    server = host(registry)
    with (model / "assets.extra-ballast").open("wb") as ballast:
        ballast.truncate(BALLAST)
    before, versions = set(Path(registry.uri).rglob("*")), [manifest.version for manifest in registry.versions()]
    with Clients(server) as clients:
        command = [sys.executable, "-c", PUSH, registry.uri, str(model), json.dumps(BIRTH)]
        with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(Path.cwd())}) as pusher:
            wait_until(
                lambda: any(path.name == "assets.extra-ballast" for path in set(Path(registry.uri).rglob("*")) - before)
            )
            pusher.kill()
        assert pusher.returncode == -signal.SIGKILL
        assert registry.served() == 1
        assert [manifest.version for manifest in registry.versions()] == versions
        answered = len(clients.versions)
        wait_until(lambda: len(clients.versions) > answered + 8)
        assert set(clients.versions) == {1}
        subprocess.run(command, env={**os.environ, "PYTHONPATH": str(Path.cwd())}, check=True)
        wait_until(lambda: set(clients.versions[-8:]) == {2}, 120)
    assert clients.errors == []
    registry.verify(registry.served())


@pytest.mark.slow
def test_a_running_request_ends_on_the_old_version_which_is_then_unloaded(host: Host, registry: Registry) -> None:
    server = host(registry)
    answers: list[set[int]] = []

    def ask() -> None:
        answers.append(classes_in(server.predict(SLOW).outputs["mask_bytes"].string_val[0]))

    slow = threading.Thread(target=ask)
    slow.start()
    wait_until(lambda: counted(server, "segpipe_requests_in_progress") == 1)
    registry.serve(2)
    wait_until(lambda: server.predict(picture()).model_spec.version.value == 2)
    if not answers:
        assert server.states() == {1: "UNLOADING", 2: "AVAILABLE"}
    slow.join()
    assert answers == [{1}]
    wait_until(lambda: server.states() == {1: "END", 2: "AVAILABLE"})


def test_a_tampered_version_is_refused_and_the_old_one_goes_on(host: Host, registry: Registry) -> None:
    server = host(registry)
    tamper(registry, 2)
    registry.serve(2)
    wait_until(lambda: server.states().get(2) == "END")
    _, body = server.get("/v1/models/tiny/versions/2")
    status = json.loads(body)["model_version_status"][0]["status"]
    assert status["error_code"] == "DATA_LOSS"
    assert "is not the file that was pushed as part of version 2" in status["error_message"]
    assert counted(server, 'segpipe_version_loads_total{outcome="refused"}') == 1
    assert server.predict(picture()).model_spec.version.value == 1
    assert server.get("/readyz")[0] == 200


@pytest.mark.slow
def test_a_tampered_version_is_taken_once_it_is_whole_again(host: Host, registry: Registry) -> None:
    server = host(registry)
    tamper(registry, 2)
    registry.serve(2)
    wait_until(lambda: server.states().get(2) == "END")
    tamper(registry, 2)  # The same bit once more: it is as it was.
    wait_until(lambda: server.states() == {2: "AVAILABLE", 1: "END"})


@pytest.mark.parametrize("what", ["tampered", "no_model"])
def test_without_a_version_that_can_be_trusted_nothing_is_answered(host: Host, registry: Registry, what: str) -> None:
    if what == "tampered":
        tamper(registry, 1)
    else:
        registry = Registry(f"{registry.uri}-empty")
    server = host(registry, until_ready=False)
    if what == "tampered":
        wait_until(lambda: b"DATA_LOSS" in server.get("/v1/models/tiny")[1])
    else:
        assert server.get("/v1/models/tiny") == (404, b'{"error":"Could not find any versions of model tiny"}')
    assert server.get("/readyz")[0] == 503
    assert server.get("/healthz")[0] == 200
    status, answer = server.predict_json(picture())
    assert (status, answer) == (404, {"error": "Servable not found for request: Latest(tiny)"})
    with pytest.raises(grpc.RpcError) as caught:
        server.predict(picture())
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND


def test_a_model_that_appears_later_is_served_then(host: Host, registry: Registry, tmp_path: Path) -> None:
    late = Registry(str(tmp_path / "late"))
    server = host(late, until_ready=False)
    assert server.get("/readyz")[0] == 503
    Path(registry.uri).rename(late.uri)
    wait_until(lambda: server.get("/readyz")[0] == 200)
    assert server.predict(picture()).model_spec.version.value == 1


def test_a_registry_that_vanishes_is_named_and_what_is_loaded_goes_on(host: Host, registry: Registry) -> None:
    server = host(registry)
    away = Path(registry.uri).rename(f"{registry.uri}-away")
    wait_until(lambda: b"registry" in server.get("/readyz")[1])
    status, body = server.get("/readyz")
    assert (status, registry.uri.encode() in body) == (200, False)
    assert server.predict(picture()).model_spec.version.value == 1
    away.rename(registry.uri)
    wait_until(lambda: b"registry" not in server.get("/readyz")[1])


def test_a_registry_that_cannot_be_read_changes_nothing(host: Host, registry: Registry) -> None:
    server = host(registry)
    served = Path(registry.uri, "served.json")
    kept = served.read_bytes()
    served.write_text("{broken")
    wait_until(lambda: counted(server, "segpipe_registry_errors_total") > 1)
    assert server.predict(picture()).model_spec.version.value == 1
    served.write_bytes(kept)
    registry.serve(2)
    wait_until(lambda: server.predict(picture()).model_spec.version.value == 2)


def test_a_pinned_version_is_served_whatever_the_registry_serves(host: Host, registry: Registry) -> None:
    server = host(registry, version=2)
    assert server.predict(picture()).model_spec.version.value == 2
    assert server.states() == {2: "AVAILABLE"}


@pytest.mark.slow
def test_a_registry_in_a_bucket_is_watched_as_well(host: Host, registry: Registry) -> None:
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.put(registry.uri, "/watched/registry", recursive=True)
    bucket = Registry("memory://watched/registry")
    server = host(bucket)
    bucket.serve(2)
    wait_until(lambda: server.predict(picture()).model_spec.version.value == 2)
    memory.rm("/watched", recursive=True)


@pytest.mark.slow
def test_the_warm_up_that_a_version_brings_is_run_before_it_is_served(host: Host, exported: Path) -> None:
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    from tests.support.serving import BIRTH

    def push(into: Path, encoded: bytes) -> Registry:
        model = into / "model"
        Registry(str(exported)).fetch(1, str(model))
        log = prediction_log_pb2.PredictionLog()
        log.predict_log.request.CopyFrom(predict_request(encoded))
        (model / "assets.extra").mkdir(exist_ok=True)
        with tf.io.TFRecordWriter(str(model / "assets.extra" / "tf_serving_warmup_requests")) as writer:
            writer.write(log.SerializeToString())
        registry = Registry(str(into / "registry"))
        registry.push(str(model), **BIRTH)
        registry.serve(1)
        return registry

    good, bad = (exported.parent / name for name in ("good", "bad"))
    for folder in (good, bad):
        folder.mkdir()
    assert host(push(good, picture())).predict(picture()).model_spec.version.value == 1
    server = host(push(bad, b"no picture"), until_ready=False)
    wait_until(lambda: b"picture refused" in server.get("/v1/models/tiny")[1])
    assert server.get("/readyz")[0] == 503


def test_a_large_answer_does_not_keep_small_ones_waiting(host: Host, registry: Registry) -> None:
    server = host(registry)
    slow = threading.Thread(target=server.predict, args=(SLOW,))
    slow.start()
    wait_until(lambda: counted(server, "segpipe_requests_in_progress") == 1)
    began = time.monotonic()
    server.predict(picture())
    in_time = slow.is_alive()
    taken = time.monotonic() - began
    slow.join()
    assert in_time, f"the small picture took {taken:.1f} s"
