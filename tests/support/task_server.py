"""The part of Kubeflow's API server that driver and launcher ask: what is in the cache (api.TaskService over gRPC)."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

# backend/api/v1beta1/task.proto, as far as it is used: message → field → number.
_TASK = {
    "id": 1,
    "namespace": 2,
    "pipelineName": 3,
    "runId": 4,
    "mlmdExecutionID": 5,
    "fingerprint": 8,
}


@contextlib.contextmanager
def task_server(host: str = "127.0.0.1") -> Iterator[tuple[int, list[Any]]]:
    """The port on which the service answers while the context is open, and the tasks that it was told of."""
    messages = _messages()
    tasks: list[Any] = []

    def create(request: Any, context: grpc.ServicerContext) -> Any:
        del context
        request.task.id = str(len(tasks) + 1)
        tasks.append(request.task)
        return request.task

    def list_tasks(request: Any, context: grpc.ServicerContext) -> Any:
        """The newest task with all that the filter names: v2/cacheutils/cache.go, GetExecutionCache."""
        del context
        wanted = {each["key"]: each["stringValue"] for each in json.loads(request.filter)["predicates"]}
        found = [task for task in reversed(tasks) if all(getattr(task, key) == wanted[key] for key in wanted)]
        return messages["ListTasksResponse"](tasks=found[:1])

    handlers = {
        "CreateTaskV1": _handler(create, messages["CreateTaskRequest"]),
        "ListTasksV1": _handler(list_tasks, messages["ListTasksRequest"]),
    }
    server = grpc.server(futures.ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("api.TaskService", handlers),))
    port = server.add_insecure_port(f"{host}:0")
    server.start()
    try:
        yield port, tasks
    finally:
        server.stop(None).wait()


def _handler(answer: Any, request_type: Any) -> grpc.RpcMethodHandler:
    return grpc.unary_unary_rpc_method_handler(
        answer,
        request_deserializer=request_type.FromString,
        response_serializer=lambda message: message.SerializeToString(),
    )


def _messages() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="tests/task.proto", package="api", syntax="proto3")
    _add(file, "Task", _TASK)
    _add(file, "CreateTaskRequest", {"task": 1}, task="Task")
    _add(file, "ListTasksRequest", {"filter": 5})
    _add(file, "ListTasksResponse", {"tasks": 1}, tasks="Task")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {message.name: _class(pool.FindMessageTypeByName(f"api.{message.name}")) for message in file.message_type}


def _class(descriptor: Any) -> Any:
    make = getattr(message_factory, "GetMessageClass", None)  # protobuf 4 and later
    return make(descriptor) if make else message_factory.MessageFactory().GetPrototype(descriptor)


def _add(file: descriptor_pb2.FileDescriptorProto, name: str, fields: dict[str, int], **types: str) -> None:
    message = file.message_type.add(name=name)
    for field, number in fields.items():
        added = message.field.add(name=field, number=number, label=1, type=9)
        if field in types:
            added.label, added.type, added.type_name = 3 if field == "tasks" else 1, 11, f".api.{types[field]}"
