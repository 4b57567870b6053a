"""Base class of every typed section of the configuration."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

WRONG_TYPE = "wrong_type"
"""Type of the error for a value that pydantic would silently convert from another type."""

LARGEST = 2**63 - 1
"""Largest integer that TensorFlow and protocol buffers can hold."""


def _no_bool(value: Any) -> Any:
    if isinstance(value, bool):
        raise PydanticCustomError(WRONG_TYPE, "must be a number, not true or false")
    return value


def _small_int(value: Any) -> Any:
    if isinstance(value, int) and not -LARGEST <= value <= LARGEST:
        raise PydanticCustomError(WRONG_TYPE, "must be a number of 64 bits")
    return _no_bool(value)


def _no_number(value: Any) -> Any:
    if isinstance(value, (int, float)):
        raise PydanticCustomError(WRONG_TYPE, "must be a date, not a number")
    return value


_GUARDS: dict[str, Callable[[Any], Any]] = {"int": _small_int, "float": _no_bool, "date": _no_number}


def _guarded(schema: Any) -> Any:
    """Returns a copy of a core schema with a guard before each number and date that has none yet."""
    if isinstance(schema, list):
        return [_guarded(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kind = schema.get("type")
    if kind == "function-before" and schema["function"].get("function") in _GUARDS.values():
        return schema
    if isinstance(kind, str) and kind in _GUARDS:
        return core_schema.no_info_before_validator_function(_GUARDS[kind], schema)
    return {key: value if key in ("metadata", "default") else _guarded(value) for key, value in schema.items()}


class Settings(BaseModel):
    """A section of the configuration: immutable, and without unknown keys.

    A misspelt key is an error with the key's path, never a silent default.  Numbers and dates reject values that
    only Python would convert: `epochs: yes` is not 1, and `dates: [0]` is not the first of January 1970.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Returns the schema of the class, with guarded numbers and dates."""
        schema: CoreSchema = _guarded(handler(source))
        return schema


def matching(pattern: str, otherwise: str) -> AfterValidator:
    """Returns a validator that the whole text matches `pattern`; its error is "'TEXT' is not `otherwise`"."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"{text!r} is not {otherwise}")
        return text

    return AfterValidator(check)


def as_section(value: Any) -> Any:
    """Reads a name alone, such as `cosine`, as a section with its defaults: `{type: cosine}`."""
    return {"type": value} if isinstance(value, str) else value


def default_type(name: str, *types: type[Settings], tag: str = "type") -> BeforeValidator:
    """Reads a section without `tag` as type `name`, unless it has a key that only others of `types` have."""
    keys = {each.model_fields[tag].default: set(each.model_fields) for each in types}
    foreign = set[str]().union(*keys.values()) - keys[name]

    def read(value: Any) -> Any:
        if not isinstance(value, dict) or tag in value or foreign & set(value):
            return value
        return {tag: name, **value}

    return BeforeValidator(read)
