"""Versions of a registry on their way to TensorFlow Serving."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import generate_latest

from common.errors import UserError
from registry.hashing import hash_folder
from registry.local_storage import LocalStorage
from registry.store import Registry
from serving.settings import SyncSettings
from serving.versions.model_config import ServingConfig, from_text, to_text
from serving.versions.sync import CONFIG, Sync, asks
from serving.versions.sync_metrics import SyncMetrics
from tests.support.model_server_rules import ModelServerRules

SETTLE = 0.05
BIRTH: dict[str, Any] = {
    "data_fingerprint": "d" * 64,
    "baseline_version": None,
    "metrics": {},
    "config": {},
    "software": {},
}


def push(uri: str, folder: Path, text: str, name: str = "nuclei") -> int:
    model = folder / "models" / text
    (model / "variables").mkdir(parents=True)
    (model / "saved_model.pb").write_text(f"graph of {text}")
    (model / "variables" / "variables.index").write_text(text)
    return Registry(uri).push(str(model), model_name=name, **BIRTH)[0].version


@pytest.fixture(params=["folder", "bucket"])
def uri(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A registry of three versions, the first served; `memory://` stands for an object store."""
    place = f"memory://{tmp_path.name}/registry" if request.param == "bucket" else str(tmp_path / "registry")
    for text in "abc":
        push(place, tmp_path, text)
    Registry(place).serve(1)
    return place


@pytest.fixture
def local(tmp_path: Path) -> str:
    """The same in a folder."""
    place = str(tmp_path / "registry")
    for text in "abc":
        push(place, tmp_path, text)
    Registry(place).serve(1)
    return place


class Pod:
    """A folder, the synchronisation that fills it, and a TensorFlow Serving that follows it."""

    def __init__(self, uri: str, folder: Path, **settings: Any) -> None:
        self.uri, self.folder = uri, folder
        self.settings = SyncSettings(
            registry=uri, folder=str(folder), **{"settle_seconds": SETTLE, "grace_seconds": 0} | settings
        )
        self.server = ModelServerRules(folder / CONFIG)
        self.metrics = SyncMetrics()
        self.restart()

    def restart(self) -> None:
        self.sync = Sync(self.settings, self.metrics, self.server.state_of)

    def turn(self, times: int = 1) -> None:
        """Looks of the one, each followed by one of the other."""
        for _ in range(times):
            self.sync.look()
            if (self.folder / CONFIG).exists():
                self.server.poll()
            time.sleep(1.2 * SETTLE)

    @property
    def told(self) -> tuple[set[int], dict[str, int]]:
        told = self.sync.config
        assert told
        assert told == from_text((self.folder / CONFIG).read_text())
        return set(told.versions), told.labels

    @property
    def present(self) -> set[int]:
        return {int(path.name) for path in (self.folder / "nuclei").iterdir() if path.name.isdigit()}

    def count(self, sample: str) -> float:
        lines = generate_latest(self.metrics.registry).decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(sample))


Start = Callable[..., Pod]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    return lambda uri, **settings: Pod(uri, tmp_path / "pod", **settings)


# ---- to start --------------------------------------------------------------------------------------------------------


def test_the_served_version_is_there_whole_before_the_server_starts(uri: str, start: Start) -> None:
    pod = start(uri)
    pod.sync.once()
    pod.server.poll()
    assert pod.told == ({1}, {"stable": 1, "canary": 1})
    assert hash_folder(LocalStorage(pod.folder / "nuclei" / "1")) == Registry(uri).manifest(1).files


def test_without_a_served_version_there_is_nothing_to_start_with(tmp_path: Path, start: Start) -> None:
    push(str(tmp_path / "registry"), tmp_path, "a")
    with pytest.raises(UserError, match="serves no version yet"):
        start(str(tmp_path / "registry")).sync.once()


def test_a_tampered_version_does_not_start(local: str, start: Start) -> None:
    Path(local, "versions/1/saved_model.pb").write_text("another program")
    pod = start(local)
    with pytest.raises(UserError, match="is not the file that was pushed as part of version 1"):
        pod.sync.once()
    assert not (pod.folder / CONFIG).exists()
    assert pod.present == set()


def test_a_folder_that_is_filled_starts_without_the_registry(local: str, start: Start) -> None:
    start(local).sync.once()
    Path(local).rename(f"{local}-gone")
    again = start(local)
    again.sync.once()
    assert again.told == ({1}, {"stable": 1, "canary": 1})


def test_a_file_that_names_a_version_that_is_not_there_is_not_believed(local: str, start: Start) -> None:
    pod = start(local)
    pod.sync.once()
    (pod.folder / CONFIG).write_text(to_text(ServingConfig("nuclei", frozenset({9}), {"stable": 9}), "/models"))
    again = start(local)
    assert again.sync.config is None
    again.sync.once()
    assert again.told[0] == {1}


def test_a_canary_that_cannot_be_loaded_does_not_keep_a_new_pod_from_starting(local: str, start: Start) -> None:
    Registry(local).start_canary(2, 10)
    pod = start(local, labels=("canary",))
    pod.server.broken = {2}
    pod.sync.once()
    pod.server.poll()
    assert pod.server.labels == {"canary": 1}
    pod.turn(3)
    assert pod.server.labels == {"canary": 1}
    assert pod.count('segpipe_version_loads_total{outcome="failed"}') == 1


@pytest.mark.parametrize("name", ["../up", "a/b", "", "a b", 'a" b'])
def test_a_name_that_is_no_folder_is_refused(tmp_path: Path, start: Start, name: str) -> None:
    uri = str(tmp_path / "registry")
    push(uri, tmp_path, "a", name=name)
    Registry(uri).serve(1)
    with pytest.raises(UserError, match="is not a model name"):
        start(uri).sync.once()


# ---- to follow -------------------------------------------------------------------------------------------------------


def test_a_new_version_is_held_first_and_the_label_moves_when_it_answers(uri: str, start: Start) -> None:
    pod = start(uri, labels=("stable",))
    pod.turn()
    Registry(uri).serve(2)
    pod.sync.look()
    assert pod.told == ({1, 2}, {"stable": 1})
    pod.sync.look()
    assert pod.told == ({1, 2}, {"stable": 1}), "the server has not read it yet"
    pod.server.poll()
    pod.sync.look()
    assert pod.told == ({2}, {"stable": 2})
    pod.turn()
    assert pod.server.labels == {"stable": 2}
    assert pod.server.refused == []
    assert pod.present == {2}
    assert pod.count('segpipe_version{label="stable"}') == 2


def test_going_back_to_a_version_that_was_dropped_works_the_same_way(uri: str, start: Start) -> None:
    pod = start(uri, settle_seconds=0.5)
    pod.turn()
    Registry(uri).serve(2)
    pod.turn(3)
    assert pod.server.states == {1: "END", 2: "AVAILABLE"}
    Registry(uri).rollback()
    pod.sync.look()
    pod.sync.look()
    assert pod.told[0] == {1, 2}, "the end that is told of version 1 is that of before"
    pod.server.poll()
    time.sleep(0.5)
    pod.turn()
    assert pod.server.labels == {"stable": 1, "canary": 1}
    assert pod.server.refused == []


def test_a_canary_is_held_beside_stable_until_it_is_promoted(uri: str, start: Start) -> None:
    registry, pod = Registry(uri), start(uri)
    pod.turn()
    registry.start_canary(2, 10)
    pod.turn(2)
    assert pod.server.labels == {"stable": 1, "canary": 2}
    registry.promote()
    pod.turn(2)
    assert pod.server.labels == {"stable": 2, "canary": 2}
    assert (pod.present, pod.server.refused) == ({2}, [])


def test_without_a_canary_its_label_means_stable(uri: str, start: Start) -> None:
    registry, pod = Registry(uri), start(uri, labels=("canary",))
    pod.turn()
    registry.start_canary(3, 10)
    pod.turn(2)
    assert pod.server.labels == {"canary": 3}
    registry.abort_canary()
    pod.turn(2)
    assert pod.server.labels == {"canary": 1}
    registry.serve(2)
    pod.turn(2)
    assert pod.server.labels == {"canary": 2}
    assert pod.server.refused == []


def test_a_pinned_version_is_held_whatever_is_served(local: str, start: Start) -> None:
    pod = start(local, version=3, labels=("stable",))
    pod.turn(2)
    assert pod.told == ({3}, {"stable": 3})


def test_a_tampered_version_is_refused_and_the_old_one_kept(local: str, start: Start) -> None:
    pod = start(local)
    pod.turn()
    Path(local, "versions/2/variables/variables.index").write_text("other weights")
    Registry(local).serve(2)
    pod.turn(3)
    assert pod.told == ({1}, {"stable": 1, "canary": 1})
    assert pod.present == {1}
    assert pod.count('segpipe_version_loads_total{outcome="refused"}') == 1
    Registry(local).serve(3)
    pod.turn(2)
    assert pod.server.labels == {"stable": 3, "canary": 3}


def test_a_tampered_canary_does_not_stop_stable_from_moving(local: str, start: Start) -> None:
    pod = start(local)
    pod.turn()
    Path(local, "versions/2/saved_model.pb").write_text("another program")
    registry = Registry(local)
    with pytest.raises(UserError):
        registry.start_canary(2, 10)
    record = registry.serving_record().start_canary(2, 10, registry.manifest(2).created)
    Path(local, "served.json").write_text(record.model_dump_json())
    pod.turn(2)
    assert pod.server.labels == {"stable": 1, "canary": 1}
    registry.serve(3)
    pod.turn(2)
    assert pod.server.labels == {"stable": 3, "canary": 3}


def test_a_version_that_the_server_cannot_load_is_dropped_and_the_old_one_kept(uri: str, start: Start) -> None:
    pod = start(uri)
    pod.server.broken = {2}
    pod.turn()
    Registry(uri).serve(2)
    pod.turn(3)
    assert pod.told == ({1}, {"stable": 1, "canary": 1})
    assert pod.server.labels == {"stable": 1, "canary": 1}
    assert pod.count('segpipe_version_loads_total{outcome="failed"}') == 1


def test_a_server_that_never_answers_keeps_its_labels(local: str, start: Start) -> None:
    pod = start(local, load_seconds=0.05, settle_seconds=10)
    pod.turn()
    Registry(local).serve(2)
    pod.sync.look()
    time.sleep(0.1)
    pod.sync.look()
    assert pod.told == ({1}, {"stable": 1, "canary": 1})


def test_a_registry_that_cannot_be_read_changes_nothing(local: str, start: Start) -> None:
    pod = start(local)
    pod.turn()
    Path(local, "served.json").write_text("{")
    pod.turn(2)
    assert pod.told == ({1}, {"stable": 1, "canary": 1})
    assert pod.count("segpipe_registry_errors_total") == 2


def test_another_model_in_the_registry_is_refused(local: str, start: Start) -> None:
    pod = start(local)
    pod.turn()
    manifest = Path(local, "manifests/2.json")
    manifest.write_text(manifest.read_text().replace('"nuclei"', '"another"'))
    Registry(local).serve(2)
    pod.turn(2)
    assert pod.told == ({1}, {"stable": 1, "canary": 1})


def test_a_process_that_begins_anew_goes_on_where_the_last_one_was(local: str, start: Start) -> None:
    pod = start(local, settle_seconds=30)
    pod.turn()
    Registry(local).serve(2)
    pod.turn()
    pod.restart()
    assert pod.told == ({1, 2}, {"stable": 1, "canary": 1})
    pod.turn(2)
    assert pod.server.labels == {"stable": 2, "canary": 2}


def test_what_is_not_wanted_stays_for_the_time_of_grace(
    local: str, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod = start(local, grace_seconds=600)
    pod.turn()
    Registry(local).serve(2)
    pod.turn(3)
    assert pod.present == {1, 2}
    now = time.monotonic
    monkeypatch.setattr("serving.versions.sync.time.monotonic", lambda: now() + 600)
    pod.turn()
    assert pod.present == {2}


# ---- the process -----------------------------------------------------------------------------------------------------


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "pipeline.cli.main", "sync", *map(str, arguments)]


ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path.cwd())}


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_the_command_brings_the_version_once_and_follows_until_it_is_told_to_stop(local: str, tmp_path: Path) -> None:
    pod = tmp_path / "pod"
    done = subprocess.run(
        command("--registry", local, "--to", pod, "--once"), env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    assert "told model=nuclei versions=[1] stable=1 canary=1" in done.stderr
    options = ("--registry", local, "--to", pod, "--poll", "0.1", "--server", "http://127.0.0.1:9")
    following = subprocess.Popen(command(*options), env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    Registry(local).serve(2)
    wait_until(lambda: (pod / "nuclei" / "2").is_dir())
    following.send_signal(signal.SIGTERM)
    _, log = following.communicate(timeout=30)
    assert following.returncode == 0, log
    assert log.splitlines()[-1].endswith("stopped")


def test_the_command_that_can_bring_nothing_says_why(tmp_path: Path) -> None:
    done = subprocess.run(
        command("--registry", tmp_path / "none", "--to", tmp_path / "pod", "--once"),
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr == (
        f"error: no registry at {tmp_path}/none: the folder {tmp_path}/none does not exist; check its address\n"
    )


def test_a_process_that_is_killed_leaves_whole_versions_only(local: str, tmp_path: Path) -> None:
    pod = tmp_path / "pod"
    for delay in (0.3, 0.5, 0.7, 0.9):
        process = subprocess.Popen(
            command("--registry", local, "--to", pod, "--once"), env=ENVIRONMENT, stderr=subprocess.DEVNULL
        )
        time.sleep(delay)
        process.kill()
        process.wait()
        if (version := pod / "nuclei" / "1").exists():
            assert hash_folder(LocalStorage(version)) == Registry(local).manifest(1).files
    subprocess.run(command("--registry", local, "--to", pod, "--once"), env=ENVIRONMENT, check=True)
    assert not list(pod.rglob(".staging-*"))


def test_no_tensorflow_is_needed() -> None:
    heavy = "{'tensorflow', 'tfx', 'apache_beam', 'grpc'} & set(sys.modules)"
    code = f"import sys, serving.versions.sync, pipeline.cli.serving_commands; print({heavy})"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


# ---- asking ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def answering() -> Iterator[tuple[str, dict[str, tuple[int, bytes]]]]:
    """A server's address, and path → status and body."""
    answers: dict[str, tuple[int, bytes]] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answers.get(self.path, (404, b"{}"))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", answers
    server.shutdown()


def test_the_state_is_the_one_that_the_server_tells(answering: tuple[str, dict[str, tuple[int, bytes]]]) -> None:
    address, answers = answering
    status = {"version": "2", "state": "LOADING", "status": {"error_code": "OK", "error_message": ""}}
    answers["/v1/models/nuclei/versions/2"] = (200, json.dumps({"model_version_status": [status]}).encode())
    assert asks(address)("nuclei", 2) == "LOADING"


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"model_version_status": []}', b"\xff"])
def test_nonsense_is_no_state(answering: tuple[str, dict[str, tuple[int, bytes]]], body: bytes) -> None:
    address, answers = answering
    answers["/v1/models/nuclei/versions/2"] = (200, body)
    assert asks(address)("nuclei", 2) is None


def test_the_state_of_another_version_is_no_state(answering: tuple[str, dict[str, tuple[int, bytes]]]) -> None:
    address, answers = answering
    status = {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    answers["/v1/models/nuclei/versions/2"] = (200, json.dumps({"model_version_status": [status]}).encode())
    assert asks(address)("nuclei", 2) is None


@pytest.mark.parametrize("server", ["localhost:8501", "ftp://localhost", "http://"])
def test_a_server_with_a_wrong_address_is_refused_at_once(server: str) -> None:
    with pytest.raises(UserError, match="is not the address of a server: one is http://HOST:8501"):
        asks(server)


def test_a_server_that_is_not_there_has_no_states() -> None:
    assert asks("http://127.0.0.1:9")("nuclei", 1) is None
