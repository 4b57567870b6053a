"""Two messages of TensorFlow Serving that its package of Python does not bring, to parse what only its server reads."""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, wrappers_pb2

try:  # protobuf 4 and newer
    from google.protobuf.message_factory import GetMessageClass
except ImportError:
    from google.protobuf.message_factory import MessageFactory

    def GetMessageClass(descriptor: Any) -> Any:
        return MessageFactory().GetPrototype(descriptor)


_FIELD = descriptor_pb2.FieldDescriptorProto
_PACKAGE = "segpipe.tests.serving"
_INT64, _BOOL, _STRING = ".google.protobuf.Int64Value", ".google.protobuf.BoolValue", ".google.protobuf.StringValue"

# tensorflow_serving/servables/tensorflow/session_bundle_config.proto; numbers as there.
_BATCHING = {
    "max_batch_size": (1, _INT64),
    "batch_timeout_micros": (2, _INT64),
    "max_enqueued_batches": (3, _INT64),
    "num_batch_threads": (4, _INT64),
    "thread_pool_name": (5, _STRING),
    "enable_large_batch_splitting": (8, _BOOL),
    "max_execution_batch_size": (9, _INT64),
}


def _message(file: Any, name: str) -> Any:
    return file.message_type.add(name=name)


def _file() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="segpipe/tests/serving.proto", package=_PACKAGE, syntax="proto3")
    file.dependency.append(wrappers_pb2.DESCRIPTOR.name)
    batching = _message(file, "BatchingParameters")
    for name, (number, kind) in _BATCHING.items():
        batching.field.add(
            name=name, number=number, type=_FIELD.TYPE_MESSAGE, type_name=kind, label=_FIELD.LABEL_OPTIONAL
        )
    batching.field.add(name="allowed_batch_sizes", number=6, type=_FIELD.TYPE_INT64, label=_FIELD.LABEL_REPEATED)
    batching.field.add(name="pad_variable_length_inputs", number=7, type=_FIELD.TYPE_BOOL, label=_FIELD.LABEL_OPTIONAL)
    # tensorflow_serving/config/monitoring_config.proto
    prometheus = _message(file, "PrometheusConfig")
    prometheus.field.add(name="enable", number=1, type=_FIELD.TYPE_BOOL, label=_FIELD.LABEL_OPTIONAL)
    prometheus.field.add(name="path", number=2, type=_FIELD.TYPE_STRING, label=_FIELD.LABEL_OPTIONAL)
    _message(file, "MonitoringConfig").field.add(
        name="prometheus_config",
        number=1,
        type=_FIELD.TYPE_MESSAGE,
        type_name=f".{_PACKAGE}.PrometheusConfig",
        label=_FIELD.LABEL_OPTIONAL,
    )
    return file


_POOL = descriptor_pool.Default()
_POOL.AddSerializedFile(_file().SerializeToString())
BatchingParameters = GetMessageClass(_POOL.FindMessageTypeByName(f"{_PACKAGE}.BatchingParameters"))
MonitoringConfig = GetMessageClass(_POOL.FindMessageTypeByName(f"{_PACKAGE}.MonitoringConfig"))
