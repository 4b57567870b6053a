"""Reads annotation files in JSON; a key that is written twice is remembered instead of overwriting the first."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from common.errors import UserError

_TWICE = "\0twice"


def read_json(data: bytes, path: str) -> Any:
    """The content of an annotation file; raises `UserError` if it is not JSON in UTF-8."""
    try:
        return json.loads(data.decode("utf-8-sig"), object_pairs_hook=_object)
    except UnicodeDecodeError as error:
        raise UserError(f"the annotation file {path} is not UTF-8 (byte {error.start}); save it as UTF-8") from error
    except RecursionError as error:
        raise UserError(f"the annotation file {path} is nested too deeply to be annotations") from error
    except ValueError as error:
        raise UserError(f"the annotation file {path} is not JSON: {error}") from error


def repeated_key(record: dict[str, Any]) -> str | None:
    """Returns the first key that is written twice in `record`."""
    found: str | None = record.get(_TWICE)
    return found


def is_number(value: object) -> bool:
    """Returns whether `value` is a number of JSON; true and false are not."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        names = [name for name, _ in pairs]
        record[_TWICE] = next(name for name in names if names.count(name) > 1)
    return record
