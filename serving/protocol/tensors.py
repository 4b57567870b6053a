"""Conversion of tensors in gRPC messages.

A `TensorProto` is not trusted: its shape may have more values than it holds, and `tf.make_ndarray` would allocate them.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping

import numpy as np
from tensorflow.core.framework import tensor_pb2, types_pb2

from serving.errors import invalid

_FIELDS = {
    np.dtype(np.float32): (types_pb2.DT_FLOAT, "float_val"),
    np.dtype(np.int32): (types_pb2.DT_INT32, "int_val"),
    np.dtype(np.int64): (types_pb2.DT_INT64, "int64_val"),
    np.dtype(object): (types_pb2.DT_STRING, "string_val"),
}


def strings_from_proto(name: str, tensor: tensor_pb2.TensorProto, limit: int) -> list[bytes]:
    """Returns the byte strings [B] in `tensor`, the input called `name`; at most `limit`.

    Raises:
        ServingError: its type is wrong, it has too many values, or not as many as its shape says.
    """
    if tensor.dtype != types_pb2.DT_STRING:
        given = types_pb2.DataType.Name(tensor.dtype) if tensor.dtype in types_pb2.DataType.values() else tensor.dtype
        raise invalid(f"input {name} must be DT_STRING, encoded bytes, but {given} is given")
    dimensions = tensor.tensor_shape.dim
    if tensor.tensor_shape.unknown_rank or len(dimensions) != 1:
        raise invalid(f"input {name} must have one dimension, the batch, but has {len(dimensions)}")
    if dimensions[0].size != len(tensor.string_val):
        raise invalid(
            f"tensor parsing error: {name}: its shape says {dimensions[0].size} values, and string_val holds "
            f"{len(tensor.string_val)}"
        )
    check_count(len(tensor.string_val), limit)
    return list(tensor.string_val)


def check_count(count: int, limit: int) -> None:
    """Refuses a request without images, or with more than `limit`."""
    if not count:
        raise invalid("the request holds no image")
    if count > limit:
        raise invalid(
            f"the request holds {count} images, and this server takes {limit} at a time: send several requests"
        )


def fill_protos(outputs: Mapping[str, np.ndarray], into: MutableMapping[str, tensor_pb2.TensorProto]) -> None:
    """Writes `outputs` into the map of tensors `into`, in the typed fields that TensorFlow Serving uses by default."""
    for name, values in outputs.items():
        data_type, field = _FIELDS[values.dtype]
        tensor = into[name]
        tensor.dtype = data_type
        for size in values.shape:
            tensor.tensor_shape.dim.add(size=size)
        getattr(tensor, field).extend(values.ravel().tolist())
