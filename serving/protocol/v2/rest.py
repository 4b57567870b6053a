"""REST API of the Open Inference Protocol."""

from __future__ import annotations

import re
from typing import Any

import orjson
from aiohttp import hdrs, web

from segpipe_client.documents import VERSION_HEADER
from segpipe_client.errors import shortened
from segpipe_client.v2_documents import JSON_LENGTH
from serving.dataplane import Dataplane
from serving.errors import NotFoundError, WrongMethodError
from serving.protocol.http_exchange import (
    LARGE_BYTES,
    READ_METHODS,
    answered,
    decode_part,
    json_response,
    off_loop_if,
    read_body,
)
from serving.protocol.lookup import find_to_predict
from serving.protocol.v2.infer import infer
from serving.protocol.v2.json_request import RIGHT_FORM, parse_infer
from serving.protocol.v2.json_response import infer_body
from serving.protocol.v2.metadata import (
    EXTENSIONS,
    SERVER_NAME,
    SERVER_VERSION,
    ModelMetadata,
    TensorMetadata,
    is_ready,
    model_metadata,
)

_MODEL = re.compile(r"/v2/models/([^/]+)(?:/versions/([^/]+))?(?:/(ready|infer))?", re.ASCII)


def add_open_inference(app: web.Application, dataplane: Dataplane) -> None:
    """Adds the routes below `/v2`."""
    handler = OpenInferenceHandler(dataplane)
    app.router.add_route("*", "/v2", handler.api)
    app.router.add_route("*", "/v2/{rest:.*}", handler.api)


class OpenInferenceHandler:
    """Handlers of HTTP requests below `/v2`."""

    def __init__(self, dataplane: Dataplane) -> None:
        self._dataplane = dataplane
        self._of_server = {"/v2": self._metadata, "/v2/health/live": self._live, "/v2/health/ready": self._ready}

    async def api(self, request: web.Request) -> web.Response:
        """Handles all requests."""
        return await answered(self._answer(request))

    async def _answer(self, request: web.Request) -> web.Response:
        path = request.rel_url.raw_path.rstrip("/")
        if handle := self._of_server.get(path):
            _check_method(request, READ_METHODS, path)
            return handle()
        found = _MODEL.fullmatch(path)
        if not found:
            raise NotFoundError(f"unknown address: {shortened(request.method, 16)} {shortened(path)}")
        name, version = decode_part(found[1], "model name"), decode_part(found[2] or "", "model version")
        if found[3] == "infer":
            _check_method(request, (hdrs.METH_POST,), path)
            return await self._infer(request, name, version)
        _check_method(request, READ_METHODS, path)
        if found[3] == "ready":
            return self._model_ready(name, version)
        return self._model_metadata(name, version)

    def _metadata(self) -> web.Response:
        return _dump({"name": SERVER_NAME, "version": SERVER_VERSION, "extensions": EXTENSIONS})

    def _live(self) -> web.Response:
        return _dump({"live": True})

    def _ready(self) -> web.Response:
        ready = self._dataplane.versions.ready
        return _dump({"ready": ready}, 200 if ready else 503)

    def _model_ready(self, name: str, version: str) -> web.Response:
        known = self._dataplane.versions.name
        if known is not None and name != known:
            raise NotFoundError(f"unknown model: {shortened(name)}")
        ready = is_ready(self._dataplane, name, version)
        return _dump({"name": name, "ready": ready}, 200 if ready else 503)

    def _model_metadata(self, name: str, version: str) -> web.Response:
        return _dump(_metadata_document(model_metadata(self._dataplane, name, version)))

    async def _infer(self, request: web.Request, name: str, version: str) -> web.Response:
        limits = self._dataplane.limits
        with self._dataplane.admitted("REST_V2") as call:
            body = await read_body(request, call.deadline)
            headers = request.headers
            given = (body, headers.get(JSON_LENGTH), headers.get(hdrs.CONTENT_TYPE, ""), limits.pictures)
            asked, binary = await off_loop_if(len(body) > LARGE_BYTES, parse_infer, *given)
            del body, given
            with find_to_predict(self._dataplane, name, version) as servable:
                outputs = await infer(self._dataplane, servable, asked, call)
            head = {"model_name": name, "model_version": str(servable.version)}
            head |= {"id": asked.id} if asked.id else {}
            size = sum(values.size for values in outputs.values())
            written = (head, outputs, binary, asked.parameters.binary_data_output)
            body, json_bytes = await off_loop_if(size > LARGE_BYTES, infer_body, *written)
        response = json_response(body)
        response.headers[VERSION_HEADER] = str(servable.version)
        if json_bytes is not None:
            response.content_type = "application/octet-stream"
            response.headers[JSON_LENGTH] = str(json_bytes)
        return response


def _check_method(request: web.Request, allowed: tuple[str, ...], path: str) -> None:
    if request.method in allowed:
        return
    if request.method == hdrs.METH_OPTIONS and hdrs.ORIGIN in request.headers:
        raise WrongMethodError("pages of other origins may not call this server: start it with --allow-origin")
    form = f": {RIGHT_FORM}" if hdrs.METH_POST in allowed else ""
    method = shortened(request.method, 16)
    raise WrongMethodError(f"{shortened(path)} takes {' and '.join(allowed)}, not {method}{form}", ", ".join(allowed))


def _metadata_document(metadata: ModelMetadata) -> dict[str, Any]:
    inputs = [_tensor_document(tensor) for tensor in metadata.inputs]
    return metadata._asdict() | {"inputs": inputs, "outputs": [_tensor_document(one) for one in metadata.outputs]}


def _tensor_document(tensor: TensorMetadata) -> dict[str, Any]:
    document = tensor._asdict()
    return document if tensor.parameters else {key: document[key] for key in ("name", "datatype", "shape")}


def _dump(document: dict[str, Any], status: int = 200) -> web.Response:
    return json_response(orjson.dumps(document), status)
