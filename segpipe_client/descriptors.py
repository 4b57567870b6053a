"""Protobuf message classes from tables of fields, in a pool of their own, without generated code.

They cannot collide with generated messages of the same protocol in a process that has both, and work with every version
of protobuf. Only field numbers and types are on the wire, so names of messages and packages do not matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Field = tuple[str, int, str]
"""Name, number and type of a field: a scalar type or a message of the table.

`*` behind the type: repeated. `?`: a member of the message's only oneof. A map is a list of entries on the wire
(protobuf's language guide, "Maps").
"""

_CHOICE = "choice"


def message_classes(package: str, fields: Mapping[str, Sequence[Field]]) -> dict[str, Any]:
    """Returns the class of each message in `fields`."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
    for message, its_fields in fields.items():
        described = file.message_type.add(name=message)
        for name, number, kind in its_fields:
            _add_field(described, name, number, kind, package, fields)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    descriptors = {name: pool.FindMessageTypeByName(f"{package}.{name}") for name in fields}
    if hasattr(message_factory, "GetMessageClass"):
        return {name: message_factory.GetMessageClass(found) for name, found in descriptors.items()}
    factory = message_factory.MessageFactory(pool)  # before protobuf 4.22
    return {name: factory.GetPrototype(found) for name, found in descriptors.items()}


def _add_field(
    described: Any, name: str, number: int, kind: str, package: str, fields: Mapping[str, Sequence[Field]]
) -> None:
    field = described.field.add(name=name, number=number)
    field.label = field.LABEL_REPEATED if kind.endswith("*") else field.LABEL_OPTIONAL
    if kind.endswith("?"):
        if not described.oneof_decl:
            described.oneof_decl.add(name=_CHOICE)
        field.oneof_index = 0
    kind = kind.rstrip("*?")
    if kind in fields:
        field.type, field.type_name = field.TYPE_MESSAGE, f".{package}.{kind}"
    else:
        field.type = getattr(field, f"TYPE_{kind.upper()}")
