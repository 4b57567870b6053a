"""Reads annotation files in JSON; a key that is written twice is remembered instead of overwriting the first.

A million annotations take several times their text as Python objects, so the items of a long list can be read one by
one, and again later by their places in the text.
"""

from __future__ import annotations

import json
import json.decoder
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from common.errors import UserError

_TWICE = "\0twice"


def read_json(data: bytes, path: str) -> Any:
    """The content of an annotation file; raises `UserError` if it is not JSON in UTF-8."""
    with _told(path):
        return _DECODER.decode(data.decode("utf-8-sig"))


Visit = Callable[[Any, int, int], None]
"""An item of a list, and where its text begins and ends."""


def read_json_with_list(data: bytes, path: str, key: str, visit: Visit) -> tuple[Any, str]:
    """The content of an annotation file, and its text; in an object, the items of the list `key` are left out.

    Each of them goes to `visit`, and `read_item` reads it again.  Raises `UserError` as `read_json`.
    """
    with _told(path):
        text = data.decode("utf-8-sig")
        start = _after_blanks(text, 0)
        if text[start : start + 1] != "{":
            return _DECODER.decode(text), text
        pairs, end = _pairs(text, start + 1, key, visit)
        if end != len(text):
            raise json.JSONDecodeError("Extra data", text, end)
    return _object(pairs), text


def read_item(text: str, start: int, end: int) -> Any:
    """Returns an item that `read_json_with_list` has read."""
    return _DECODER.decode(text[start:end])


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


_DECODER = json.JSONDecoder(object_pairs_hook=_object)


@contextmanager
def _told(path: str) -> Iterator[None]:
    """Turns the errors of reading JSON into `UserError`."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise UserError(f"the annotation file {path} is not UTF-8 (byte {error.start}); save it as UTF-8") from error
    except RecursionError as error:
        raise UserError(f"the annotation file {path} is nested too deeply to be annotations") from error
    except ValueError as error:
        raise UserError(f"the annotation file {path} is not JSON: {error}") from error


def _pairs(text: str, place: int, key: str, visit: Visit) -> tuple[list[tuple[str, Any]], int]:
    """Returns keys and values of the object whose content begins at `place`, and where the text goes on after it."""
    pairs: list[tuple[str, Any]] = []
    place = _after_blanks(text, place)
    if text[place : place + 1] == "}":
        return pairs, _after_blanks(text, place + 1)
    while True:
        if text[place : place + 1] != '"':
            raise json.JSONDecodeError("Expecting property name enclosed in double quotes", text, place)
        name, place = _value(text, place)
        place = _after(text, place, ":")
        if name == key and text[place : place + 1] == "[":
            value, place = list[Any](), _visited(text, place + 1, visit)
        else:
            value, place = _value(text, place)
        pairs.append((name, value))
        if text[place : place + 1] == "}":
            return pairs, _after_blanks(text, place + 1)
        place = _after(text, place, ",")


def _visited(text: str, place: int, visit: Visit) -> int:
    """Shows the items of the list whose content begins at `place`; returns where the text goes on after it."""
    place = _after_blanks(text, place)
    if text[place : place + 1] == "]":
        return _after_blanks(text, place + 1)
    while True:
        item, end = _DECODER.raw_decode(text, place)
        visit(item, place, end)
        place = _after_blanks(text, end)
        if text[place : place + 1] == "]":
            return _after_blanks(text, place + 1)
        place = _after(text, place, ",")


def _value(text: str, place: int) -> tuple[Any, int]:
    value, end = _DECODER.raw_decode(text, place)
    return value, _after_blanks(text, end)


def _after(text: str, place: int, mark: str) -> int:
    if text[place : place + 1] != mark:
        raise json.JSONDecodeError(f"Expecting '{mark}' delimiter", text, place)
    return _after_blanks(text, place + 1)


def _after_blanks(text: str, place: int) -> int:
    return int(json.decoder.WHITESPACE.match(text, place).end())  # type: ignore[attr-defined]
