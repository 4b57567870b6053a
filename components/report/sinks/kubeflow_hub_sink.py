"""Registers a pushed version in Kubeflow's model registry (Kubeflow Hub)."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path

from common.records import SPLITS
from components.pusher.result import PushResult
from components.report.data import ReportData
from components.report.sinks.config import HUB_TOKEN, KubeflowHubSink
from components.report.sinks.figures import final_metrics
from components.report.sinks.kubeflow_hub_client import HubClient, HubError, Json
from registry.store import Registry

_OWN = "segpipe."
_OWN_PREFIXES = (_OWN, *(f"{split}/" for split in SPLITS))
"""Prefixes of the properties that a run replaces; all others are those of people, and stay."""

_REGISTRY, _SERVED = f"{_OWN}registry", f"{_OWN}served"
_LONGEST_NAME = 255  # `ContextProperty.name`, internal/datastore/embedmd/postgres/migrations of v0.3.8.
_ARTIFACT = "saved_model"
_ARTIFACT_TYPE = "model-artifact"


def send_to_kubeflow_hub(sink: KubeflowHubSink, data: ReportData) -> str:
    """Registers the version that a run pushed, or that the registry had already; repeating it makes no second one.

    The registered model is made if it is missing.  What people changed there stays: descriptions, states, labels and
    properties with other names than ours.

    Returns:
        One sentence that says what was sent.

    Raises:
        HubError: the server refused a request, or has a version of this number from another registry.
        Exception: whatever urllib3 raises.
    """
    push = data.push
    if push is None or push.version is None:
        return "Kubeflow Hub: nothing to register, because no version was pushed"
    name = sink.registered_model or data.name
    client = HubClient(sink.server, _token(sink), sink.ca_file, sink.timeout_seconds)
    model, is_new_model = client.find_or_create("/registered_models", _model(name, push))
    if not is_new_model:
        _check_registry(f"the model {name}", model, push, is_by_hand_refused=False)
    properties, dropped = _version_properties(data, push)
    version, created = client.find_or_create(
        f"/registered_models/{model['id']}/versions",
        {
            "name": str(push.version),
            "registeredModelId": model["id"],
            "description": data.evaluation.verdict.note,
            "customProperties": properties,
        },
    )
    if not created:
        _check_registry(f"version {push.version} of {name}", version, push, is_by_hand_refused=True)
        _replace_properties(client, f"/model_versions/{version['id']}", version, properties)
    _put_artifact(client, version, push)
    if not is_new_model:
        _replace_properties(client, f"/registered_models/{model['id']}", model, _model_properties(push))
    told = f"Kubeflow Hub: version {push.version} of {name} {'registered' if created else 'updated'} at {sink.server}"
    return told + (f"; {dropped} names are too long for it and were left out" if dropped else "")


def _model(name: str, push: PushResult) -> Json:
    return {
        "name": name,
        "description": "Segmentation model of a pipeline of segpipe.",
        "tasks": ["image-segmentation"],
        "libraryName": "tensorflow",
        "customProperties": _model_properties(push),
    }


def _model_properties(push: PushResult) -> dict[str, Json]:
    """Returns the registry and the version that is served, if there is one."""
    served = {} if push.served is None else {_SERVED: _text(str(push.served))}
    return {_REGISTRY: _text(push.registry), **served}


def _check_registry(what: str, entity: Json, push: PushResult, is_by_hand_refused: bool) -> None:
    """Checks that a model or version there is of our registry, so that two registries never mix their versions.

    Raises:
        HubError: it is of another one, or was made by hand where that is refused.
    """
    origin = entity.get("customProperties", {}).get(_REGISTRY, {}).get("string_value")
    if origin == push.registry or (origin is None and not is_by_hand_refused):
        return
    whose = f"is of the registry {origin}" if origin else "was made by hand"
    raise HubError(f"{what} there {whose}; set sinks.kubeflow_hub.registered_model to another name")


def _put_artifact(client: HubClient, version: Json, push: PushResult) -> None:
    """Makes or updates the version's model artifact, which has the URI of the SavedModel."""
    assert push.version is not None  # As its caller found.
    fields = {
        "artifactType": _ARTIFACT_TYPE,
        "uri": _uri(Registry(push.registry).version_location(push.version)),
        "modelFormatName": "tensorflow",
        "modelFormatVersion": "2",
        "state": "LIVE",
    }
    collection = f"/model_versions/{version['id']}/artifacts"
    artifact, created = client.find_or_create(collection, {"name": _ARTIFACT, **fields}, artifactType=_ARTIFACT_TYPE)
    if not created:
        client.update(f"/model_artifacts/{artifact['id']}", fields)


def _replace_properties(client: HubClient, path: str, entity: Json, properties: Mapping[str, Json]) -> None:
    """Replaces our properties of a model or version that is there, and keeps those of others.

    The state goes along, because an update without one means LIVE, and would take what was archived out of the archive
    (`NewModelVersionUpdateWithDefaults` in pkg/openapi of v0.3.8).
    """
    existing: Mapping[str, Json] = entity.get("customProperties", {})
    kept = {key: value for key, value in existing.items() if not key.startswith(_OWN_PREFIXES)}
    client.update(path, {"customProperties": {**kept, **properties}, "state": entity.get("state", "LIVE")})


def _version_properties(data: ReportData, push: PushResult) -> tuple[dict[str, Json], int]:
    """Returns the properties of a version, and how many have names that are too long.

    Texts are used where a Boolean would do, because the dashboard shows no Booleans (`getProperties` in
    clients/ui/frontend/src/app/pages/modelRegistry/screens/utils.ts).
    """
    texts = {
        _REGISTRY: push.registry,
        f"{_OWN}name": data.name,
        f"{_OWN}blessed": str(data.evaluation.verdict.blessed).lower(),
        f"{_OWN}data": data.ingestion.data_fingerprint,
        f"{_OWN}code": data.software.get("code", ""),
    }
    # An empty text would be a label.
    properties = {key: _text(value) for key, value in texts.items() if value}
    metrics = final_metrics(data.evaluation, with_slices=False)
    properties |= {key: _number(value) for key, value in metrics.items() if math.isfinite(value)}
    short = {key: value for key, value in properties.items() if len(key) <= _LONGEST_NAME}
    return short, len(properties) - len(short)


def _text(value: str) -> Json:
    return {"metadataType": "MetadataStringValue", "string_value": value}


def _number(value: float) -> Json:
    return {"metadataType": "MetadataDoubleValue", "double_value": value}


def _uri(location: str) -> str:
    return location if "://" in location else Path(location).absolute().as_uri()


def _token(sink: KubeflowHubSink) -> str | None:
    """Returns the token of the environment, or else of the file; none if neither is set."""
    given = os.environ.get(HUB_TOKEN, "").strip()
    if given or sink.token_file is None:
        return given or None
    return Path(sink.token_file).read_text().strip()
