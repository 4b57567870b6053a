"""TensorFlow Serving's REST API (model_servers/http_rest_api_handler.cc), metrics, and health endpoints."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from aiohttp import hdrs, web
from google.protobuf import json_format
from google.protobuf.message import Message
from grpc import StatusCode
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, model_pb2

from segpipe_client.documents import VERSION_HEADER
from segpipe_client.errors import shortened
from serving.dataplane import SIGNATURE_DEF, Dataplane
from serving.errors import ServingError, WrongMethodError, invalid
from serving.jobs import Jobs
from serving.metrics import METRICS_PATH
from serving.protocol.card import asked_form, card_response
from serving.protocol.compression import compress_responses
from serving.protocol.cors import allow_origins
from serving.protocol.http_exchange import (
    LARGE_BYTES,
    READ_METHODS,
    answered,
    decode_part,
    json_response,
    off_loop_if,
    parse_version,
    read_body,
)
from serving.protocol.jobs import add_jobs
from serving.protocol.lookup import find_signature
from serving.protocol.rest_json import parse_predict, predict_json
from serving.protocol.v2.rest import add_open_inference
from serving.protocol.wrong_bodies import RIGHT_FORM

_MODEL = r"([^/:]+)"
_VERSION = r"(?:(?:/versions/(\d+))|(?:/labels/([^/:]+)))?"
_POST = re.compile(rf"/v1/models/{_MODEL}{_VERSION}:(classify|regress|predict)", re.IGNORECASE | re.ASCII)
_GET = re.compile(rf"/v1/models(?:/{_MODEL})?{_VERSION}(?:/(metadata|card))?", re.IGNORECASE | re.ASCII)


def make_app(
    dataplane: Dataplane, jobs: Jobs, pages: Iterable[web.AbstractRouteDef] = (), origins: Sequence[str] = ()
) -> web.Application:
    """Returns the application; `pages` are routes beside the API, such as the web page.

    Web pages of `origins` may call it, see `serving.protocol.cors`.
    """
    handler = RestHandler(dataplane)
    app = web.Application(client_max_size=dataplane.limits.body_bytes)
    app.router.add_get(METRICS_PATH, handler.metrics)
    app.router.add_get("/healthz", handler.healthy)
    app.router.add_get("/readyz", handler.ready)
    add_jobs(app, dataplane, jobs)
    app.router.add_route("*", "/{api:[vV]1}/{rest:.*}", handler.api)
    add_open_inference(app, dataplane)
    app.add_routes(pages)
    compress_responses(app)
    allow_origins(app, origins)
    return app


class RestHandler:
    """Handlers of HTTP requests."""

    def __init__(self, dataplane: Dataplane) -> None:
        self._dataplane = dataplane

    async def healthy(self, _: web.Request) -> web.Response:
        """Liveness: whether the process responds."""
        return web.Response(text="ok\n")

    async def ready(self, _: web.Request) -> web.Response:
        """Readiness: whether the stable version is loaded; versions of labels; whether the registry is readable."""
        labels = self._dataplane.versions.labels
        status = StatusCode.OK if self._dataplane.versions.ready else StatusCode.UNAVAILABLE
        document: dict[str, Any] = {"model": self._dataplane.versions.name, "labels": labels}
        if not self._dataplane.versions.registry_is_readable:
            document["registry"] = "it cannot be read, or no longer serves a version: see the server's log"
        return web.json_response(document, status=200 if status is StatusCode.OK else 503)

    async def metrics(self, _: web.Request) -> web.Response:
        """Returns the metrics."""
        return web.Response(body=self._dataplane.metrics.page(), headers={"Content-Type": "text/plain; version=0.0.4"})

    async def api(self, request: web.Request) -> web.Response:
        """Handles all requests below /v1/."""
        return await answered(self._answer(request))

    async def _answer(self, request: web.Request) -> web.Response:
        path = request.rel_url.raw_path
        path_shown = shortened(path)
        if request.method == "POST" and (found := _POST.fullmatch(path)):
            name, version, label, method = found.groups()
            return await self._post(request, _spec(name, version, label), method.lower())
        if request.method in READ_METHODS and (found := _GET.fullmatch(path)):
            name, version, label, what = found.groups()
            spec = _spec(name or "", version, label)
            if what is not None and what.lower() == "card":
                return await self._card(request, spec)
            return json_response(self._get(spec, what is not None))
        if request.method == hdrs.METH_OPTIONS and hdrs.ORIGIN in request.headers:
            raise WrongMethodError("pages of other origins may not call this server: start it with --allow-origin")
        if _POST.fullmatch(path):
            raise WrongMethodError(f"{path_shown} takes POST, not {shortened(request.method, 16)}: send {RIGHT_FORM}")
        raise invalid(f"Malformed request: {shortened(request.method, 16)} {path_shown}")

    def _get(self, spec: model_pb2.ModelSpec, metadata: bool) -> bytes:
        if not spec.name:
            raise invalid("Missing model name in request.")
        if metadata:
            request = get_model_metadata_pb2.GetModelMetadataRequest(model_spec=spec, metadata_field=[SIGNATURE_DEF])
            return _metadata_json(self._dataplane.metadata(request))
        return _to_json(self._dataplane.status(get_model_status_pb2.GetModelStatusRequest(model_spec=spec))).encode()

    async def _card(self, request: web.Request, spec: model_pb2.ModelSpec) -> web.Response:
        form = asked_form(request)
        with self._dataplane.find(spec) as servable:
            version = servable.version
        return card_response(form, await asyncio.to_thread(self._dataplane.card, version, form))

    async def _post(self, request: web.Request, spec: model_pb2.ModelSpec, method: str) -> web.Response:
        if method != "predict":
            raise ServingError(
                StatusCode.UNIMPLEMENTED, f"{method} is not supported: a segmentation model supports predict"
            )
        with self._dataplane.admitted("REST") as call:
            body = await read_body(request, call.deadline)
            content_type = request.headers.get("Content-Type", "")
            with self._dataplane.find_to_predict(spec) as servable:
                find = partial(find_signature, servable)
                asked = await off_loop_if(len(body) > LARGE_BYTES, parse_predict, body, find, content_type)
                del body
                outputs = await self._dataplane.predict(servable, asked.signature, asked.inputs, (), call.deadline)
            size = sum(values.size for values in outputs.values())
            answer = json_response(await off_loop_if(size > LARGE_BYTES, predict_json, outputs, asked.rows))
            answer.headers[VERSION_HEADER] = str(servable.version)
            return answer


def _spec(name: str, version: str | None, label: str | None) -> model_pb2.ModelSpec:
    spec = model_pb2.ModelSpec(name=decode_part(name, "model name"))
    if version is not None:
        spec.version.value = parse_version(version)
    if label is not None:
        spec.version_label = decode_part(label, "model version label")
    return spec


def _metadata_json(response: get_model_metadata_pb2.GetModelMetadataResponse) -> bytes:
    """Formats metadata as model_servers/http_rest_api_util.cc does: the signatures are unpacked from their `Any`."""
    signatures = get_model_metadata_pb2.SignatureDefMap()
    response.metadata[SIGNATURE_DEF].Unpack(signatures)
    spec = _to_json(response.model_spec, proto_names=True)
    return f'{{"model_spec":{spec},"metadata":{{"signature_def":{_to_json(signatures, proto_names=True)}}}}}'.encode()


def _to_json(message: Message, proto_names: bool = False) -> str:
    """Formats a message with all its fields, including empty ones; protobuf 5.26 renamed the option for it."""
    options: dict[str, Any] = {"preserving_proto_field_name": proto_names}
    try:
        return json_format.MessageToJson(message, always_print_fields_with_no_presence=True, **options)
    except TypeError:
        return json_format.MessageToJson(message, including_default_value_fields=True, **options)
