"""Kubeflow's model registry v0.3.8: its own program with MariaDB, or the rules that the sink relies on, by hand.

Files are those of kubeflow/model-registry at v0.3.8.
"""

from __future__ import annotations

import contextlib
import getpass
import http.server
import itertools
import json
import os
import re
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.kubeflow.pipelines_api import find_mariadb

Json = dict[str, Any]

API = "/api/model_registry/v1alpha3"
VARIABLE = "SEGPIPE_TEST_MODEL_REGISTRY"
"""Names the program, or the address of a server, for whoever has built or started one."""
_EDITABLE = {"customProperties", "description", "externalId", "state"}
_OF_MODELS = _EDITABLE | {"owner", "readme", "maturity", "language", "tasks", "provider", "logo", "license"}
_OF_MODELS |= {"licenseLink", "libraryName"}
_OF_VERSIONS = _EDITABLE | {"author"}
_OF_ARTIFACTS = _EDITABLE | {"artifactType", "uri", "modelFormatName", "modelFormatVersion", "storageKey"}
_OF_ARTIFACTS |= {"storagePath", "serviceAccountName"}
UPDATE_FIELDS = {"registered_models": _OF_MODELS, "versions": _OF_VERSIONS, "artifacts": _OF_ARTIFACTS}
CREATE_FIELDS = {
    "registered_models": _OF_MODELS | {"name"},
    "versions": _OF_VERSIONS | {"name", "registeredModelId", "id"},
    "artifacts": _OF_ARTIFACTS | {"name", "id"},
}
REQUIRED = {"registered_models": ("name",), "versions": ("name", "registeredModelId"), "artifacts": ()}
PARENTS = {"versions": "registered_models", "artifacts": "model_versions"}
PATHS = {"registered_models": "registered_models", "model_versions": "versions", "model_artifacts": "artifacts"}
VALUES = {
    "MetadataStringValue": ("string_value", str),
    "MetadataDoubleValue": ("double_value", (int, float)),
    "MetadataIntValue": ("int_value", str),
    "MetadataBoolValue": ("bool_value", bool),
}


class Refusal(Exception):
    """An answer with an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@contextlib.contextmanager
def fake_model_registry(token: str | None = None) -> Iterator[str]:
    """The address of a registry by hand; with `token`, it answers only requests that bear it."""
    rules = Rules()

    class Requests(_Requests):
        def __init__(self, *arguments: Any) -> None:
            self.rules, self.token = rules, token
            super().__init__(*arguments)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Requests) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


class Rules:
    """What the server makes of requests."""

    def __init__(self) -> None:
        self._ids = itertools.count(1)
        self._kinds: dict[str, str] = {}
        self._parents: dict[str, str | None] = {}
        self._entities: dict[str, Json] = {}

    def answer(self, method: str, path: str, query: Mapping[str, str], body: Json | None) -> tuple[int, Json]:
        """The status and the answer to a request below the API's prefix."""
        parts = path.strip("/").split("/")
        if method == "PATCH":
            return 200, self._update(PATHS[parts[0]], parts[1], body or {})
        kind, parent = (parts[0], None) if len(parts) == 1 else (parts[2], parts[1])
        if parent is not None and self._kinds.get(parent) != PATHS[PARENTS[kind]]:
            raise Refusal(404, f"no parent found for id {parent}: not found")
        if method == "POST":
            return 201, self._create(kind, parent, body or {})
        return 200, self._list(kind, parent, query)

    def _create(self, kind: str, parent: str | None, body: Json) -> Json:
        """`CreateRegisteredModel` and its like in internal/server/openapi/api_model_registry_service.go."""
        _check(body, CREATE_FIELDS[kind])
        for field in REQUIRED[kind]:
            if not body.get(field):
                raise Refusal(422, f"required field '{field}' is zero value.")
        for identity, other in self._entities.items():
            # Unique (type_id, name); names of children begin with the parent's id (PrefixWhenOwned).
            if (self._kinds[identity], self._parents[identity], other["name"]) == (kind, parent, body["name"]):
                raise Refusal(409, f"{kind} with name {body['name']} already exists: conflict")
        identity = str(next(self._ids))
        self._kinds[identity], self._parents[identity] = kind, parent
        self._entities[identity] = {**body, "id": identity, "state": body.get("state", _state(kind))}
        return self._entities[identity]

    def _update(self, kind: str, identity: str, body: Json) -> Json:
        """`UpdateModelVersion` and its like: fields that are given replace, custom properties all of them."""
        if self._kinds.get(identity) != kind:
            raise Refusal(404, f"no {kind} found for id {identity}: not found")
        _check(body, UPDATE_FIELDS[kind])
        # NewModelVersionUpdateWithDefaults in pkg/openapi: without a state, it is that of a new entity.
        self._entities[identity] |= {"state": _state(kind), **body}
        return self._entities[identity]

    def _list(self, kind: str, parent: str | None, query: Mapping[str, str]) -> Json:
        """`List` in internal/db/service/generic_repository.go; of the filter's language, only the name."""
        name = re.fullmatch(r'name = "([^"]*)"', query.get("filterQuery", 'name = ""'))
        if name is None:
            raise Refusal(400, f"invalid filter query {query['filterQuery']}: bad request")
        found = [
            each
            for identity, each in self._entities.items()
            if (self._kinds[identity], self._parents[identity]) == (kind, parent) and _named(kind, each, name[1])
        ]
        after, size = int(query.get("nextPageToken", 0)), int(query.get("pageSize", 0)) or len(found)
        page = found[after : after + size]
        token = str(after + size) if after + size < len(found) else ""
        return {"items": page, "nextPageToken": token, "pageSize": size, "size": len(page)}


def _named(kind: str, entity: Json, name: str) -> bool:
    """`buildEntityTablePropertyCondition` in internal/db/filter/query_builder.go: the name of a child is LIKE it."""
    if not name or kind == "registered_models":
        return not name or entity["name"] == name
    pattern = re.escape(name).replace("_", ".").replace("%", ".*")
    return re.fullmatch(pattern, entity["name"]) is not None


def _state(kind: str) -> str:
    return "UNKNOWN" if kind == "artifacts" else "LIVE"


def _check(body: Json, fields: set[str]) -> None:
    """`DisallowUnknownFields` in api_model_registry_service.go; `UnmarshalJSON` in model_metadata_value.go."""
    for field in body:
        if field not in fields:
            raise Refusal(400, f'json: unknown field "{field}"')
    for key, value in body.get("customProperties", {}).items():
        name, kind = VALUES.get(value.get("metadataType"), ("", object))
        if set(value) != {"metadataType", name} or not isinstance(value[name], kind):
            raise Refusal(400, f"metadataType not found for {key}: bad request")


class _Requests(http.server.BaseHTTPRequestHandler):
    rules: Rules
    token: str | None

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        address = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(address.query).items()}
        try:
            if self.token and self.headers.get("Authorization") != f"Bearer {self.token}":
                raise Refusal(401, "Unauthorized")
            status, answer = self.rules.answer(self.command, address.path.removeprefix(API), query, body)
        except Refusal as refusal:
            status, answer = refusal.status, {"code": str(refusal.status), "message": str(refusal)}
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=UTF-8")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PATCH = _serve

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def real_model_registry(folder: Path) -> Iterator[str]:
    """The address of the registry's own program on a new database; skips the test where it cannot be had."""
    given = os.environ.get(VARIABLE, "")
    if given.startswith(("http://", "https://")):
        yield given.rstrip("/")
        return
    if not given:
        pytest.skip(f"{VARIABLE} names the program or the address of Kubeflow's model registry")
    port = _free_port()
    with _database(folder) as database, (folder / "registry.log").open("wb") as log:
        options = {"hostname": "127.0.0.1", "port": port, "embedmd-database-type": "mysql"}
        options["embedmd-database-dsn"] = database
        command = [given, "proxy", *(f"--{key}={value}" for key, value in options.items())]
        with _ended(subprocess.Popen(command, stdout=log, stderr=log)) as server:
            address = f"http://127.0.0.1:{port}"
            _await(f"{address}{API}/registered_models", server, folder / "registry.log")
            yield address


@contextlib.contextmanager
def _database(folder: Path) -> Iterator[str]:
    """The address of an empty database of a MariaDB in `folder`."""
    root, port = find_mariadb(), _free_port()
    program = root / "usr/sbin/mariadbd"
    if not program.exists():
        pytest.skip("MariaDB is not installed; SEGPIPE_MARIADB may name the folder of its unpacked package")
    data = folder / "data"
    (data / "registry").mkdir(parents=True)  # A folder in MariaDB's is a database.
    options = {
        "datadir": data,
        "basedir": root / "usr",
        "lc-messages-dir": root / "usr/share/mysql",
        "socket": folder / "mariadb.sock",
        "bind-address": "127.0.0.1",
        "port": port,
        "user": getpass.getuser(),
        "character-set-server": "utf8mb4",
    }
    command = [str(program), "--no-defaults", "--skip-grant-tables", *(f"--{k}={v}" for k, v in options.items())]
    libraries = os.pathsep.join(map(str, (*root.glob("usr/lib/*-linux-gnu"), *root.glob("lib/*-linux-gnu"))))
    env = os.environ if root == Path("/") else {**os.environ, "LD_LIBRARY_PATH": libraries}
    with (folder / "mariadb.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=env)
        with _ended(process):
            _await_port(port)
            yield f"root@tcp(127.0.0.1:{port})/registry?charset=utf8mb4"


@contextlib.contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """Ends a process with the context."""
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _await_port(port: int, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except OSError:
            assert time.monotonic() < until, f"nothing listens at {port}"
            time.sleep(0.2)
        else:
            return


def _await(address: str, server: subprocess.Popen[bytes], log: Path, seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while True:
        assert server.poll() is None and time.monotonic() < until, log.read_text()[-4000:]
        try:
            urllib.request.urlopen(address, timeout=5).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
        else:
            return
