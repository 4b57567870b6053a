"""What a driver talks to: ML Metadata's gRPC service, on the store of its Python package, and a cluster."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent import futures
from typing import Any

import grpc
from ml_metadata import errors
from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2, metadata_store_service_pb2

_NOT_FOUND = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}
_SERVICE = metadata_store_service_pb2.DESCRIPTOR.services_by_name["MetadataStoreService"]


@contextlib.contextmanager
def metadata_server(host: str = "127.0.0.1") -> Iterator[tuple[MetadataStore, int]]:
    """A store in memory, and the port on which its service answers while the context is open."""
    config = metadata_store_pb2.ConnectionConfig()
    config.fake_database.SetInParent()
    store = MetadataStore(config)
    handlers = {method.name: _handler(store, method) for method in _SERVICE.methods}
    server = grpc.server(futures.ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE.full_name, handlers),))
    port = server.add_insecure_port(f"{host}:0")
    server.start()
    try:
        yield store, port
    finally:
        server.stop(None).wait()


def _handler(store: MetadataStore, method: Any) -> grpc.RpcMethodHandler:
    request_type = getattr(metadata_store_service_pb2, method.input_type.name)
    response_type = getattr(metadata_store_service_pb2, method.output_type.name)
    return grpc.unary_unary_rpc_method_handler(
        _call(store, method.name, response_type),
        request_deserializer=request_type.FromString,
        response_serializer=response_type.SerializeToString,
    )


def _call(store: MetadataStore, name: str, response_type: Callable[[], Any]) -> Callable[[Any, Any], Any]:
    def call(request: Any, context: grpc.ServicerContext) -> Any:
        response = response_type()
        try:
            store._call(name, request, response)
        except errors.StatusError as error:
            codes = {code.value[0]: code for code in grpc.StatusCode}
            context.abort(codes[error.error_code], str(error))
        return response

    return call


@contextlib.contextmanager
def cluster(objects: Mapping[str, Any] | None = None) -> Iterator[str]:
    """The address of a Kubernetes API server that has no other objects than these: path → object."""
    known = objects or {}

    class Requests(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            there = self.path in known
            body = json.dumps(known[self.path] if there else _NOT_FOUND).encode()
            self.send_response(200 if there else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Requests)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
