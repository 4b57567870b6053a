"""Reads a configuration's YAML strictly, so that nothing in it is dropped or changed in silence.

PyYAML keeps the last of two equal keys, reads `010` as 8 and `1:30` as 90, and takes an unquoted `#ff0000` for a
comment.  Here each of them is refused, with its line.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from common.errors import UserError
from common.settings_errors import Loc
from common.settings_places import place_text
from common.settings_types import shown
from pipeline.config.yaml_syntax import colour_comments, syntax_mistake

_TAG = "tag:yaml.org,2002:"
_SCALARS = {f"{_TAG}{name}" for name in ("str", "int", "float", "bool", "null", "timestamp")}
_KINDS = {"int": "whole number", "float": "number", "bool": "true or false", "timestamp": "date", "null": "null"}
_MERGE = f"{_TAG}merge"
_MOST_VALUES = 100_000
_SURPRISING = re.compile(r"[-+]?(0[0-9_]+|[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?)")
_FLOAT = re.compile(r"[-+]?(\.[0-9][0-9_]*|[0-9][0-9_]*\.?[0-9_]*)[eE][-+]?[0-9]+")


class _Loader(yaml.SafeLoader):
    """PyYAML's scanner, parser and scalars; `1e-3` is a number, as in YAML 1.2."""


_Loader.add_implicit_resolver(f"{_TAG}float", _FLOAT, list("-+0123456789."))


@dataclass
class Document:
    """Content of a YAML text, with its lines and its notation.

    Attributes:
        value: Dictionaries, lists and plain values.
        written: The text of each value that is not a string; empty if the key has no value.
        lines: The line, from 1, of each key and item.
        overridden: Locations that come from the command line instead of the text.
    """

    value: Any = None
    written: dict[Loc, str] = field(default_factory=dict)
    lines: dict[Loc, int] = field(default_factory=dict)
    overridden: set[Loc] = field(default_factory=set)

    def override(self, loc: Loc, written: dict[Loc, str]) -> None:
        """Notes that the value at `loc` comes from the command line, with the notation of what is in it."""
        for places in (self.written, self.lines):
            for place in [place for place in places if place[: len(loc)] == loc]:
                del places[place]
        self.written |= written
        self.overridden.add(loc)

    def where(self, loc: Loc) -> str:
        """Returns `line 7` of the value at `loc`, or of the nearest one around it; `--set`; empty if unknown."""
        for length in range(len(loc) if self.lines else 0, 0, -1):
            if loc[:length] in self.overridden:
                return "--set"
            if loc[:length] in self.lines:
                return f"line {self.lines[loc[:length]]}"
        return ""


class Mistakes(Exception):
    """Errors of a YAML text: for each the line from 1, if it is known, and a message."""

    def __init__(self, *found: tuple[int | None, str]) -> None:
        super().__init__(*found)
        self.found = found


def read_document(path: Path) -> Document:
    """Returns the YAML mapping in a file.

    Raises:
        UserError: the file cannot be read, is not text, or is not a mapping.
        Mistakes: the text is not valid YAML.
    """
    text = _text(path)
    document = parse(text)
    if document.value is None:
        raise UserError(f"{path} is empty; a configuration begins with a name and data, such as name: sample")
    if not isinstance(document.value, dict):
        kind = "a list" if isinstance(document.value, list) else "a single value"
        raise UserError(f"{path} must be a mapping of keys to values, but is {kind}; begin with a key, such as name:")
    return document


def parse(text: str, around: Loc = ()) -> Document:
    """Parses a YAML text; locations in it begin with `around`.

    Raises:
        Mistakes: it is not valid.
    """
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        document = Document()
        reader = _Reader(loader, text, document)
        document.value = reader.value(node, around) if node else None
    except yaml.YAMLError as error:
        raise Mistakes(syntax_mistake(error, text)) from None
    except RecursionError:
        raise Mistakes((None, "it is nested too deeply")) from None
    hidden = [(line, _hidden_colour(colour)) for line, colour in colour_comments(text).items()]
    if reader.found or hidden:
        raise Mistakes(*sorted([*reader.found, *hidden], key=lambda item: item[0] or 0))
    return document


def _hidden_colour(colour: str) -> str:
    return f"{colour} is a comment in YAML; put the colour in quotes: '{colour}'"


class _Reader:
    """Converts YAML nodes to values, and records errors."""

    def __init__(self, loader: _Loader, text: str, document: Document) -> None:
        self._loader, self._text, self._document = loader, text, document
        self._open: list[yaml.Node] = []
        self._values = 0
        self._items: set[Loc] = set()
        self.found: list[tuple[int | None, str]] = []

    def value(self, node: yaml.Node, loc: Loc) -> Any:
        """Returns the value of a node."""
        if node in self._open:
            self._note(node, f"{self._place(loc)} contains itself, by an alias (*)")
            return None
        self._open.append(node)
        try:
            return self._made(node, loc)
        finally:
            self._open.pop()

    def _made(self, node: yaml.Node, loc: Loc) -> Any:
        self._count()
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, loc)
        self._document.written[loc] = " ".join(self._text[node.start_mark.index : node.end_mark.index].split())
        if node.tag not in (f"{_TAG}map", f"{_TAG}seq"):
            self._note(node, _unknown_tag(node.tag))
            return None
        return self._mapping(node, loc) if isinstance(node, yaml.MappingNode) else self._sequence(node, loc)

    def _count(self) -> None:
        self._values += 1
        if self._values > _MOST_VALUES:
            raise Mistakes((None, f"its aliases (*) expand to more than {_MOST_VALUES} values; write fewer of them"))

    def _sequence(self, node: yaml.Node, loc: Loc) -> list[Any]:
        items = []
        for index, item in enumerate(node.value):
            place = (*loc, index)
            self._document.lines[place] = _line(item)
            self._items.add(place)
            items.append(self.value(item, place))
        return items

    def _mapping(self, node: yaml.MappingNode, loc: Loc) -> dict[Any, Any]:
        self._count()
        made: dict[Any, Any] = {}
        for merged in reversed(list(self._merged(node, loc))):
            if merged in self._open:
                self._note(node, f"{self._place(loc)} contains itself, by an alias (*)")
            elif isinstance(merged, yaml.MappingNode):
                made |= self._mapping(merged, loc)
        seen: dict[str, list[int]] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                continue
            key = self._key(key_node, loc)
            seen.setdefault(_identity(key), []).append(_line(key_node))
            place = (*loc, key)
            self._document.lines[place] = _line(key_node)
            made[key] = self.value(value_node, place)
            self._twice(key, seen[_identity(key)], loc)
        return made

    def _twice(self, key: Any, lines: list[int], loc: Loc) -> None:
        """Records a duplicate key."""
        if len(lines) > 1:
            where = f"in lines {lines[0]} and {lines[-1]}" if lines[0] != lines[-1] else f"in line {lines[0]}"
            self.found.append((lines[-1], f"{self._place((*loc, key))} is given twice, {where}; keep one of them"))

    def _merged(self, node: yaml.MappingNode, loc: Loc) -> Iterator[yaml.Node]:
        """Yields the mappings that `<<` merges."""
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                nodes = value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]
                if not all(isinstance(each, yaml.MappingNode) for each in nodes):
                    self._note(
                        value_node, f"{self._place((*loc, '<<'))} must be an alias of a section, such as <<: *name"
                    )
                yield from nodes

    def _key(self, node: yaml.Node, loc: Loc) -> Any:
        if isinstance(node, yaml.ScalarNode):
            key = self._scalar(node, None)
            if isinstance(key, bool) or not isinstance(key, (str, int)):
                kind = "a number" if isinstance(key, float) else shown(key)
                self._note(node, f"the key {node.value!r} is {kind} in YAML; put it in quotes: '{node.value}'")
            return key
        text = " ".join(self._text[node.start_mark.index : node.end_mark.index].split())[:60]
        self._note(node, f"a key must be text, not {text}; put what has braces or brackets in quotes")
        return text

    def _scalar(self, node: yaml.ScalarNode, loc: Loc | None) -> Any:
        if loc is not None and node.tag != f"{_TAG}str":
            self._document.written[loc] = node.value
        if node.tag not in _SCALARS:
            self._note(node, _unknown_tag(node.tag))
            return None
        if node.style is None and node.tag in (f"{_TAG}int", f"{_TAG}float") and _SURPRISING.fullmatch(node.value):
            self._note(node, _surprise(node.value, self._loader.construct_object(node)))
        try:
            return self._loader.construct_object(node)
        except yaml.YAMLError:
            raise
        except Exception:  # noqa: BLE001  # If a text does not fit its tag, PyYAML raises what int() and others raise.
            kind = _KINDS[node.tag.removeprefix(_TAG)]
            self._note(node, f"{shown(node.value)} is not a valid {kind}; put it in quotes if it is meant as text")
            return None

    def _place(self, loc: Loc) -> str:
        places = [loc[:length] for length in range(1, len(loc) + 1)]
        return place_text(each[-1] if each in self._items else str(each[-1]) for each in places) or "it"

    def _note(self, node: yaml.Node, text: str) -> None:
        self.found.append((_line(node), text))


def _surprise(text: str, value: Any) -> str:
    base = "base 60" if ":" in text else "base 8"
    plain = "" if ":" in text else f", or write {text.lstrip('-+').lstrip('0') or '0'}"
    return f"{text} is the number {value} in YAML ({base}); put it in quotes: '{text}'{plain}"


def _unknown_tag(tag: str) -> str:
    return f"the tag {tag.replace(_TAG, '!!')[:60]} is not supported; write a plain value"


def _identity(key: Any) -> str:
    """Returns the same text for keys that a configuration cannot distinguish: 1, 0x1, 1.0 and "1"."""
    if isinstance(key, (bool, datetime.date)) or key is None:
        return f"{type(key).__name__} {key}"
    if isinstance(key, float) and key.is_integer():
        return str(int(key))
    return str(key)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        nearby = sorted(str(file) for file in Path("pipeline/configs").glob("*.yaml"))
        hint = f"; there is {', '.join(nearby)}" if nearby else ""
        raise UserError(f"cannot read the configuration {path}: {error.strerror}{hint}") from None
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        if b"\0" in content or content[:1] == b"\x89":
            raise UserError(f"{path} is not a text file; give a YAML configuration") from None
        if encoding == "utf-16":
            raise UserError(f"{path} is not valid UTF-16; save the file in the encoding UTF-8") from None
        line = content[: error.start].count(b"\n") + 1
        raise UserError(
            f"{path}, line {line}: byte 0x{content[error.start]:02x} is not UTF-8; save the file in the encoding UTF-8"
        ) from None
    if "\0" in text:
        raise UserError(f"{path} is not a text file; give a YAML configuration")
    return text
