"""Kubeflow's model registry: a version is there once, whatever is repeated, and what people wrote there stays.

First between rules by hand, then with the registry's own program on MariaDB.
"""

from __future__ import annotations

import http.server
import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from components.pusher.result import PushResult
from components.report.data import ReportData
from components.report.sinks import kubeflow_hub_client
from components.report.sinks.config import HUB_TOKEN, KubeflowHubSink
from components.report.sinks.kubeflow_hub_client import HubClient, HubError
from components.report.sinks.kubeflow_hub_sink import send_to_kubeflow_hub
from tests.support.model_registry import API, Json, fake_model_registry, real_model_registry

BY_HAND, REAL = "rules by hand", "the program with MariaDB"


@pytest.fixture(scope="module", params=[BY_HAND, pytest.param(REAL, marks=pytest.mark.slow)])
def address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    opened = fake_model_registry() if request.param == BY_HAND else real_model_registry(tmp_path_factory.mktemp("hub"))
    with opened as server:
        yield server


@pytest.fixture
def sink(address: str, request: pytest.FixtureRequest) -> KubeflowHubSink:
    """A registered model of the test's own."""
    return KubeflowHubSink(server=address, registered_model=request.node.originalname[:60])


def entities(address: str, collection: str) -> list[Json]:
    with urllib.request.urlopen(f"{address}{API}{collection}?pageSize=1000", timeout=30) as answer:
        return sorted(json.load(answer)["items"], key=lambda entity: int(entity["id"]))


def models(sink: KubeflowHubSink) -> list[Json]:
    return [each for each in entities(sink.server, "/registered_models") if each["name"] == sink.registered_model]


def versions(sink: KubeflowHubSink) -> list[Json]:
    [model] = models(sink)
    return entities(sink.server, f"/registered_models/{model['id']}/versions")


def artifacts(sink: KubeflowHubSink) -> list[Json]:
    [version] = versions(sink)
    return entities(sink.server, f"/model_versions/{version['id']}/artifacts")


def pushed(version: int, registry: str = "memory://models/footprints", served: int | None = None) -> PushResult:
    note = f"version {version} pushed"
    return PushResult(pushed=True, version=version, served=served or version, registry=registry, note=note)


def value(entity: Json, name: str) -> Any:
    found = entity["customProperties"][name]
    return next(held for key, held in found.items() if key != "metadataType")


def test_a_pushed_version_is_there_with_its_metrics_its_data_and_its_model(
    sink: KubeflowHubSink, make_report: Any
) -> None:
    data: ReportData = make_report(push=pushed(3))
    told = send_to_kubeflow_hub(sink, data)
    assert told == f"Kubeflow Hub: version 3 of {sink.registered_model} registered at {sink.server}"
    [model], [version], [artifact] = models(sink), versions(sink), artifacts(sink)
    assert value(model, "segpipe.served") == "3"
    assert (version["name"], version["state"]) == ("3", "LIVE")
    overall = data.evaluation.candidate.overall
    assert value(version, "test/mean_iou") == pytest.approx(overall.mean_iou.value)
    assert value(version, "test/mean_iou.low") == pytest.approx(overall.mean_iou.low)
    assert value(version, "test/iou/roof") == pytest.approx(overall.iou["roof"].value)
    assert value(version, "segpipe.data") == data.ingestion.data_fingerprint
    assert value(version, "segpipe.blessed") == "true"
    assert not [name for name in version["customProperties"] if "light" in name], "slices are in the registry's card"
    assert artifact["uri"] == "memory://models/footprints/versions/3"
    assert (artifact["artifactType"], artifact["modelFormatName"]) == ("model-artifact", "tensorflow")


def test_a_registry_in_a_folder_has_the_uri_of_a_file(sink: KubeflowHubSink, make_report: Any, tmp_path: Path) -> None:
    send_to_kubeflow_hub(sink, make_report(push=pushed(1, registry=str(tmp_path / "a registry"))))
    [artifact] = artifacts(sink)
    assert artifact["uri"] == (tmp_path / "a registry" / "versions" / "1").as_uri()


def test_a_second_run_makes_no_second_version(sink: KubeflowHubSink, make_report: Any) -> None:
    data = make_report(push=pushed(1))
    send_to_kubeflow_hub(sink, data)
    before = [models(sink), versions(sink), artifacts(sink)]
    assert "version 1 of" in (told := send_to_kubeflow_hub(sink, data)) and "updated" in told
    after = [models(sink), versions(sink), artifacts(sink)]
    assert _without_times(after) == _without_times(before)


def test_an_update_replaces_what_runs_wrote_and_keeps_what_people_wrote(
    sink: KubeflowHubSink, make_report: Any
) -> None:
    data = make_report(push=pushed(1))
    send_to_kubeflow_hub(sink, data)
    [version], [model] = versions(sink), models(sink)
    client = HubClient(sink.server)
    text = {"metadataType": "MetadataStringValue"}
    written = {
        **version["customProperties"],
        "reviewed by": {**text, "string_value": "Ada"},
        "urgent": {**text, "string_value": ""},  # A label.
        "test/iou/a class that is gone": {"metadataType": "MetadataDoubleValue", "double_value": 0.5},
    }
    client.update(f"/model_versions/{version['id']}", {"customProperties": written, "state": "ARCHIVED"})
    client.update(f"/registered_models/{model['id']}", {"description": "Footprints of Zürich.", "owner": "Ada"})

    send_to_kubeflow_hub(sink, data)
    [version], [model] = versions(sink), models(sink)
    assert value(version, "reviewed by") == "Ada" and value(version, "urgent") == ""
    assert "test/iou/a class that is gone" not in version["customProperties"]
    assert version["state"] == "ARCHIVED"
    assert (model["description"], model["owner"]) == ("Footprints of Zürich.", "Ada")


def test_the_next_version_is_beside_the_first_and_the_model_names_the_one_that_is_served(
    sink: KubeflowHubSink, make_report: Any
) -> None:
    for push in (pushed(1), pushed(2, served=1), pushed(12, served=12)):
        send_to_kubeflow_hub(sink, make_report(push=push))
    [model] = models(sink)
    assert [version["name"] for version in versions(sink)] == ["1", "2", "12"]
    assert value(model, "segpipe.served") == "12"


def test_a_model_of_another_registry_is_not_touched(sink: KubeflowHubSink, make_report: Any) -> None:
    send_to_kubeflow_hub(sink, make_report(push=pushed(1)))
    with pytest.raises(HubError, match=r"the model .* there is of the registry memory://models/footprints; set sinks"):
        send_to_kubeflow_hub(sink, make_report(push=pushed(2, registry="memory://models/other")))
    [model], [version] = models(sink), versions(sink)
    assert (version["name"], value(model, "segpipe.served")) == ("1", "1")


def test_a_model_that_somebody_made_by_hand_is_taken_and_a_version_is_not(
    sink: KubeflowHubSink, make_report: Any
) -> None:
    client = HubClient(sink.server)
    made, _ = client.find_or_create("/registered_models", {"name": sink.registered_model, "description": "Ours."})
    body = {"name": "1", "registeredModelId": made["id"]}
    client.find_or_create(f"/registered_models/{made['id']}/versions", body)
    with pytest.raises(HubError, match=r"version 1 of .* there was made by hand; set sinks"):
        send_to_kubeflow_hub(sink, make_report(push=pushed(1)))
    send_to_kubeflow_hub(sink, make_report(push=pushed(2)))
    [model] = models(sink)
    assert (model["description"], value(model, "segpipe.served")) == ("Ours.", "2")
    assert [version["name"] for version in versions(sink)] == ["1", "2"]


def test_names_that_a_search_takes_for_one_another_are_kept_apart(address: str, make_report: Any) -> None:
    for name in ("roofs-of-x", "roofs_of_x"):
        sink = KubeflowHubSink(server=address, registered_model=name)
        send_to_kubeflow_hub(sink, make_report(push=pushed(1)))
        assert len(models(sink)) == len(versions(sink)) == 1


def test_without_a_version_nothing_is_registered(sink: KubeflowHubSink, make_report: Any) -> None:
    refused = PushResult(pushed=False, version=None, served=2, registry="r", note="not blessed: version 2 stays")
    for push in (None, refused):
        assert send_to_kubeflow_hub(sink, make_report(push=push)).endswith("because no version was pushed")
    assert not models(sink)


def test_a_model_is_found_behind_many_others(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubeflow_hub_client, "_PAGE", 2)
    client = HubClient(address)
    made, _ = client.find_or_create("/registered_models", {"name": "many"})
    for name in ("1", "2", "3", "4", "5"):
        body = {"name": name, "registeredModelId": made["id"]}
        client.find_or_create(f"/registered_models/{made['id']}/versions", body)
    # As a server answers that knows no filter.
    monkeypatch.setattr(kubeflow_hub_client, "urlencode", _encoded_without_filter)
    found = client.find(f"/registered_models/{made['id']}/versions", "5")
    assert found is not None and found["name"] == "5"
    assert client.find(f"/registered_models/{made['id']}/versions", "6") is None


def test_one_that_another_run_has_just_created_is_taken(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    client = HubClient(address)
    first, _ = client.find_or_create("/registered_models", {"name": "at-once"})
    really, calls = client.find, []

    def find_late(*arguments: Any, **query: Any) -> Json | None:
        calls.append(arguments)
        return None if len(calls) == 1 else really(*arguments, **query)

    monkeypatch.setattr(client, "find", find_late)
    assert client.find_or_create("/registered_models", {"name": "at-once"}) == (really(*calls[0]), False)
    assert calls[0][1] == first["name"]


def test_an_unknown_field_is_refused_with_the_server_s_words(address: str) -> None:
    with pytest.raises(HubError, match=r"^POST /registered_models was answered 400: .*unknown field"):
        HubClient(address).find_or_create("/registered_models", {"name": "odd", "colour": "red"})


class TestToken:
    """A bearer token: of the environment, else of a file, and for this server alone."""

    @pytest.fixture
    def guarded(self) -> Iterator[str]:
        with fake_model_registry(token="secret") as server:
            yield server

    def test_it_comes_from_a_file(self, guarded: str, make_report: Any, tmp_path: Path) -> None:
        (tmp_path / "token").write_text("secret\n")
        sink = KubeflowHubSink(server=guarded, token_file=str(tmp_path / "token"))
        assert "registered" in send_to_kubeflow_hub(sink, make_report())

    def test_it_comes_from_the_environment_first(
        self, guarded: str, make_report: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(HUB_TOKEN, "secret")
        sink = KubeflowHubSink(server=guarded, token_file=str(tmp_path / "missing"))
        assert "registered" in send_to_kubeflow_hub(sink, make_report())

    def test_without_it_the_error_says_so(self, guarded: str, make_report: Any) -> None:
        with pytest.raises(HubError, match=r"was answered 401: Unauthorized; is the token right\?"):
            send_to_kubeflow_hub(KubeflowHubSink(server=guarded), make_report())

    def test_a_redirection_is_not_followed(self, guarded: str) -> None:
        elsewhere = _answering(302, b"", Location=f"{guarded}{API}/registered_models")
        with elsewhere as server, pytest.raises(HubError, match=r"answered 302: no text"):
            HubClient(server, token="secret").find("/registered_models", "x")


def test_a_login_page_is_no_registry() -> None:
    with _answering(200, b"<html>Log in") as server, pytest.raises(HubError, match="not answered in JSON; is `server`"):
        HubClient(server).find("/registered_models", "x")


@contextmanager
def _answering(status: int, body: bytes, **headers: str) -> Iterator[str]:
    """A server with the same answer to all."""

    class Requests(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            for name, text in headers.items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Requests) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def _without_times(found: list[list[Json]]) -> list[list[Json]]:
    times = ("createTimeSinceEpoch", "lastUpdateTimeSinceEpoch")
    return [[{key: held for key, held in each.items() if key not in times} for each in group] for group in found]


def _encoded_without_filter(query: dict[str, str]) -> str:
    return urlencode({key: held for key, held in query.items() if key != "filterQuery"})
