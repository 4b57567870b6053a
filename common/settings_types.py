"""Allowed values at a place of the configuration, read from the classes that define it."""

from __future__ import annotations

import datetime
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

_BOUNDS = ("ge", "gt", "le", "lt", "min_length", "max_length")
_TAGS = ("type", "runner")
"""Keys that name which of several sections is meant."""
_SINGULAR = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
_PLURAL = {str: "texts", int: "whole numbers", float: "numbers", bool: "true or false", datetime.date: "dates"}


@dataclass(frozen=True)
class Allowed:
    """An allowed type and its bounds.

    Attributes:
        annotation: The type, without `Annotated` and without `None`.
        nullable: Whether null is allowed.
        bounds: Of `ge`, `gt`, `le`, `lt`, `min_length` and `max_length` those that hold.
        field: The field with this type; `None` for an item of a list or a mapping.
    """

    annotation: Any
    nullable: bool
    bounds: dict[str, Any]
    field: FieldInfo | None = None

    @property
    def origin(self) -> Any:
        """`tuple`, `dict`, `Literal`, a union; `None` for a plain type."""
        origin = typing.get_origin(self.annotation)
        return types.UnionType if origin is typing.Union else origin

    @property
    def sections(self) -> list[type[BaseModel]]:
        """The classes of the sections that are allowed here; empty if it is not a section."""
        options = self.options()
        models = [option.annotation for option in options if _is_model(option.annotation)]
        return models if len(models) == len(options) else []

    def options(self) -> list[Allowed]:
        """Members of a union; for any other type, itself."""
        if self.origin is not types.UnionType:
            return [self]
        return [allowed(member, self.bounds) for member in typing.get_args(self.annotation)]

    def item(self, index: int) -> Allowed:
        """What is allowed as item `index` of a list."""
        arguments = typing.get_args(self.annotation)
        return allowed(arguments[0] if arguments[-1] is Ellipsis else arguments[min(index, len(arguments) - 1)])

    def key_and_value(self) -> tuple[Allowed, Allowed]:
        """What is allowed as a key, and as a value, of a mapping."""
        key, value = typing.get_args(self.annotation)
        return allowed(key), allowed(value)

    @property
    def length(self) -> int | None:
        """The length that a list must have; `None` if it is not fixed."""
        arguments = typing.get_args(self.annotation)
        return len(arguments) if self.origin is tuple and arguments[-1] is not Ellipsis else None


def allowed(annotation: Any, bounds: dict[str, Any] | None = None, field: FieldInfo | None = None) -> Allowed:
    """Returns what an annotation allows."""
    bounds = dict(bounds or {})
    nullable = False
    while True:
        if typing.get_origin(annotation) is typing.Annotated:
            bounds |= _bounds(annotation.__metadata__)
            annotation = annotation.__origin__
            continue
        members = _members(annotation)
        if type(None) not in members:
            return Allowed(annotation, nullable, bounds, field)
        nullable = True
        annotation = typing.Union[tuple(member for member in members if member is not type(None))]  # noqa: UP007


def allowed_in(model: type[BaseModel], key: str) -> Allowed | None:
    """Returns what is allowed at `key` of a section; `None` if the section has no such key."""
    for name, field in model.model_fields.items():
        if key == (field.alias or name):
            return allowed(field.annotation, _bounds(field.metadata), field)
    return None


def keys_of(model: type[BaseModel]) -> list[str]:
    """Returns the keys of a section."""
    return [field.alias or name for name, field in model.model_fields.items()]


def required_keys(model: type[BaseModel]) -> set[str]:
    """Returns the keys that a section must have."""
    return {field.alias or name for name, field in model.model_fields.items() if field.is_required()}


def tag_of(model: type[BaseModel]) -> str | None:
    """Returns the key that distinguishes a section from others at its place; `None` if there is only one."""
    return next((tag for tag in _TAGS if tag in model.model_fields), None)


def type_of(model: type[BaseModel]) -> str | None:
    """Returns the `type` that distinguishes a section from others at its place; `None` if there is only one."""
    tag = tag_of(model)
    return model.model_fields[tag].default if tag else None


def places_of(key: str, model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yields the places outside lists and mappings that have a key of this name."""
    for name in keys_of(model):
        if name == key:
            yield (*path, name)
    for name in keys_of(model):
        inner = allowed_in(model, name)
        for section in inner.sections if inner else []:
            yield from places_of(key, section, (*path, name))


def default_of(field: FieldInfo) -> Any:
    """Returns the default of a field as written in a file; `PydanticUndefined` if there is none."""
    return PydanticUndefined if field.is_required() else plain(field.default)


def plain(value: Any) -> Any:
    """Returns a value as it is written in a file."""
    if isinstance(value, BaseModel):
        tag = tag_of(type(value))
        kind = {tag: type_of(type(value))} if tag else {}
        return kind | value.model_dump(mode="json", by_alias=True, exclude_unset=True)
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    return value


def expected_text(what: Allowed) -> str:
    """Describes what is expected, to follow "must be": `a whole number of at least 1`."""
    annotation, origin = what.annotation, what.origin
    if origin is types.UnionType and not what.sections:
        return " or ".join(expected_text(option) for option in what.options())
    if what.sections:
        return "a section, that is, keys with values"
    if origin is typing.Literal:
        return listed([shown(choice) for choice in typing.get_args(annotation)], "or")
    if origin is tuple:
        count = f"{what.length} " if what.length else _count(what.bounds)
        return f"a list of {count}{_plural(what.item(0), what.item(0) == what.item(1))}"
    if origin is dict:
        key, value = what.key_and_value()
        return f"a mapping from {_plural(key)} to {_plural(value)}"
    if annotation is datetime.date:
        return "a date such as 2024-05-01"
    if annotation is str and what.bounds.get("min_length"):
        return "text that is not empty"
    return _SINGULAR.get(annotation, "something else") + _range(what.bounds)


def listed(words: list[str], conjunction: str) -> str:
    """Joins words: `a, b or c`."""
    return f" {conjunction} ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def shown(value: Any, most: int = 60) -> str:
    """Formats a value as YAML on one line, shortened."""
    text = _flow(value, 4)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _flow(value: Any, depth: int) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and value.bit_length() > 256:
        return f"a number of {value.bit_length()} bits"
    if isinstance(value, (dict, list, tuple)) and not depth:
        return "…"
    if isinstance(value, dict):
        pairs = [f"{_flow_key(key)}: {_flow(item, depth - 1)}" for key, item in list(value.items())[:9]]
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_flow(item, depth - 1) for item in value[:9]) + "]"
    return repr(value) if isinstance(value, str) else str(value)


def _flow_key(key: Any) -> str:
    return key if isinstance(key, str) and key.isidentifier() else _flow(key, 0)


def _members(annotation: Any) -> tuple[Any, ...]:
    union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    return typing.get_args(annotation) if union else (annotation,)


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _bounds(metadata: typing.Iterable[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for item in metadata:
        if isinstance(item, FieldInfo):
            found |= _bounds(item.metadata)
        found |= {name: getattr(item, name) for name in _BOUNDS if getattr(item, name, None) is not None}
    return found


def _plural(what: Allowed, alike: bool = True) -> str:
    if what.sections:
        return "sections"
    if what.origin is tuple:
        return "lists"
    if what.origin is typing.Literal:
        return f"{expected_text(what)}"
    return _PLURAL.get(what.annotation, "values") + (_range(what.bounds) if alike else "")


def _count(bounds: dict[str, Any]) -> str:
    least, most = bounds.get("min_length"), bounds.get("max_length")
    if least and most:
        return f"{least} to {most} "
    few = "one or more" if least == 1 else f"at least {least}"
    return f"{few} " if least else f"at most {most} " if most else ""


def _range(bounds: dict[str, Any]) -> str:
    if "ge" in bounds and "le" in bounds:
        return (
            f" from {bounds['ge']:g} to {bounds['le']:g}"
            if bounds["le"] < 10**6
            else f" from {bounds['ge']} to {bounds['le']}"
        )
    parts = [
        f"{word} {bounds[name]}"
        for name, word in (("ge", "of at least"), ("gt", "above"), ("le", "of at most"), ("lt", "below"))
        if name in bounds
    ]
    return f" {' and '.join(parts)}" if parts else ""
