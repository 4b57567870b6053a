"""Messages for mistakes in a configuration: the place, the expected value and the given value.

Pydantic finds the mistakes; its own texts, in terms of tuples, tags and inputs, are not used.
"""

from __future__ import annotations

import difflib
import re
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, PydanticUndefined

from common import settings_types as st
from common.settings import LARGEST
from common.settings_places import Part, place_text

Loc = tuple[Any, ...]
"""Path of keys and indices to a value in what was read from a file."""


@dataclass(frozen=True)
class Mistake:
    """One mistake in the configuration.

    Attributes:
        loc: Location in the parsed file.
        text: Message: the key path and what is wrong.
    """

    loc: Loc
    text: str


def mistakes_in(
    error: ValidationError, model: type[BaseModel], raw: Any = None, written: Mapping[Loc, str] | None = None
) -> list[Mistake]:
    """Returns the mistakes that pydantic found, without those that only follow from others.

    Args:
        error: The exception of pydantic.
        model: The class that `raw` was validated as.
        raw: The parsed file; `None` if only pydantic's input is known.
        written: Original text of values that YAML does not read as text, if known.
    """
    found = [_PydanticError(detail, model, raw, written or {}) for detail in error.errors(include_url=False)]
    return list(_independent_mistakes(found))


class _PydanticError:
    """One pydantic error, with the expected type and the given value."""

    def __init__(self, detail: ErrorDetails, root: type[BaseModel], raw: Any, written: Mapping[Loc, str]) -> None:
        self.kind, self.context = detail["type"], detail.get("ctx", {})
        self.message, self.value = detail["msg"], detail.get("input")
        self.root, self.written = root, written
        self.whole_loc = detail["loc"]
        self.loc: Loc = ()
        self.parts: tuple[Part, ...] = ()
        self.is_key = False
        self.union: tuple[tuple[Part, ...], st.Allowed] | None = None
        """Place and type of the union, if the error is that of one of its members."""
        self.what: st.Allowed | None = st.allowed(root)
        self.around: st.Allowed | None = None
        """The type of the enclosing value."""
        self.owner: type[BaseModel] | None = None
        """The section whose key the last part is."""
        self._follow(detail["loc"], raw)
        self._correct(raw)

    @property
    def place(self) -> str:
        """The key path of the mistake."""
        return place_text(self.parts)

    @property
    def key(self) -> str:
        """Last key or index of the key path."""
        return str(self.loc[-1]) if self.loc else ""

    def shown(self) -> str:
        """The given value, as text."""
        text, value = self.written.get(self.loc), st.shown(self.value)
        if text is None or self.is_key or text in (value, ""):
            return value
        text = text if len(text) <= 60 else f"{text[:59]}…"
        numbers = self.what is not None and self.what.annotation in (int, float) and not isinstance(self.value, bool)
        alike = isinstance(self.value, (dict, list)) or (numbers and isinstance(self.value, (int, float)))
        return text if alike else f"{text} (which YAML reads as {value})"

    def _follow(self, loc: tuple[int | str, ...], raw: Any) -> None:
        node = _ABSENT if raw is None else raw
        for part in loc:
            if part == "[key]":
                self.is_key, self.value = True, self.loc[-1]
                continue
            step = self._step(part, node)
            if step is None:
                continue
            node = _inside(node, part)
            self.loc = (*self.loc, part)
            self.parts = (*self.parts, step)
        if not self.is_key and self.kind not in ("missing", "extra_forbidden", "invalid_key") and node is not _ABSENT:
            self.value = node

    def _correct(self, raw: Any) -> None:
        """Moves the error to the whole list if items are missing, to the whole union, or to an unknown `type`."""
        if self.kind == "missing" and self.owner is None and self.loc:  # An item of a list of fixed length.
            self.kind, self.what = "too_short", self.around
            self.loc, self.parts = self.loc[:-1], self.parts[:-1]
            self.value = _at(raw, self.loc) if raw is not None else self.value
        elif self.union and self.parts == self.union[0]:
            self.what = self.union[1]
        elif self.kind == "union_tag_invalid" and isinstance(self.value, Mapping):
            tag = _tag(self.what)
            self.loc, self.parts = (*self.loc, tag), (*self.parts, tag)

    def _step(self, part: int | str, node: Any) -> Part | None:
        """Returns the part as written; `None` if it exists only in pydantic (a union's member, a shorthand's list)."""
        what, self.owner = self.what, None
        if what is None:
            return str(part)
        self.around = what
        if what.origin is types.UnionType:
            member = _member(what, str(part))
            self.union = self.union if what.sections else (self.parts, what)
            self.what = member or what
            return None
        if what.origin is tuple:
            self.what = what.item(int(part))
            return int(part) if isinstance(node, (list, tuple)) or node is _ABSENT else None
        if what.origin is dict:
            self.what = what.key_and_value()[1]
            return str(part)
        if what.sections:
            self.owner = what.sections[0]
            self.what = st.allowed_in(self.owner, str(part))
            return str(part)
        return str(part)


_ABSENT = object()


def _at(raw: Any, loc: Loc) -> Any:
    for part in loc:
        raw = _inside(raw, part)
    return raw


def _inside(node: Any, part: Any) -> Any:
    if isinstance(node, Mapping):
        return node.get(part, _ABSENT)
    if isinstance(node, (list, tuple)) and isinstance(part, int) and part < len(node):
        return node[part]
    return _ABSENT


def _member(what: st.Allowed, label: str) -> st.Allowed | None:
    """Returns the union's member with this name in pydantic: a section's type, or the name of a Python type."""
    for option in what.options():
        if option.sections and label in (st.type_of(option.sections[0]), option.sections[0].__name__):
            return option
        if label.partition("[")[0] == getattr(option.origin or option.annotation, "__name__", None):
            return option
    return None


def _independent_mistakes(found: Sequence[_PydanticError]) -> Iterator[Mistake]:
    """Yields a mistake for each error that does not follow from another."""
    unknown = {(item.loc[:-1], item.key) for item in found if item.kind in _UNKNOWN}
    missing = {(item.loc[:-1], item.key) for item in found if item.kind == "missing" and item.owner}
    meant = {place: _meant(place, unknown, missing) for place in unknown}
    misspelt = {(loc, name) for (loc, _), name in meant.items() if name}
    texts: set[str] = set()
    for item in found:
        place = (item.loc[:-1], item.key)
        if (item.kind == "missing" and place in misspelt) or _follows(item, found):
            continue
        text = _unknown_key(item, meant[place]) if item.kind in _UNKNOWN else _sentence(item)
        if text not in texts:
            texts.add(text)
            yield Mistake(item.loc, text)


_UNKNOWN = ("extra_forbidden", "invalid_key")


def _follows(item: _PydanticError, found: Sequence[_PydanticError]) -> bool:
    """Returns whether an error only follows from another one.

    Pydantic counts only the valid items of a list, and tries each member of a union, though one may fit so far that
    only something inside is wrong.
    """
    if item.kind in ("too_short", "too_long"):
        inside = len(item.whole_loc)
        return any(len(o.whole_loc) > inside and o.whole_loc[:inside] == item.whole_loc for o in found)
    if item.union is None or item.parts != item.union[0] or item.is_key:
        return False
    return any(other.union == item.union and (other.parts != item.parts or other.is_key) for other in found)


def _meant(place: tuple[Loc, str], unknown: set[tuple[Loc, str]], missing: set[tuple[Loc, str]]) -> str | None:
    """Returns the missing key of the same section that an unknown key was probably meant as, if any."""
    loc, key = place
    here = sorted(name for where, name in missing if where == loc)
    close = difflib.get_close_matches(key, here, n=1, cutoff=0.5)
    if close:
        return close[0]
    return here[0] if len(here) == 1 and sum(where == loc for where, _ in unknown) == 1 else None


def _unknown_key(item: _PydanticError, meant: str | None) -> str:
    known = st.keys_of(item.owner) if item.owner else []
    close = _closest(item.key, known, 0.75)
    if meant is None and not close:
        places = dict.fromkeys(st.places_of(item.key, item.root))
        elsewhere = sorted((place for place in places if place != item.parts), key=len)[:3]
        if elsewhere:
            return f"{item.place}: unknown key; did you mean {st.listed([place_text(p) for p in elsewhere], 'or')}?"
    guess = meant or close or _closest(item.key, known, 0.6)
    if guess:
        return f"{item.place}: unknown key; did you mean {guess!r}?"
    return f"{item.place}: unknown key; the {_keys_are(known)}"


def _keys_are(known: Sequence[str]) -> str:
    names = list(known) if len(known) <= 12 else [*known[:11], "…"]
    return f"{'key is' if len(known) == 1 else 'keys are'} {', '.join(names)}"


def _closest(name: str, known: Sequence[str], cutoff: float) -> str | None:
    by_small = {each.lower(): each for each in known}
    close = difflib.get_close_matches(name.lower(), list(by_small), n=1, cutoff=cutoff)
    return by_small[close[0]] if close else None


def _sentence(item: _PydanticError) -> str:
    text = _said(item)
    if not item.place:
        return text
    return f"{item.place} {text}" if text.startswith(("is ", "has ", "needs ")) else f"{item.place}: {text}"


def _said(item: _PydanticError) -> str:
    if item.kind in ("value_error", "assertion_error"):
        return shortened(item.message.partition(", ")[2])
    if item.kind == "missing":
        return f"is missing{_example(item)}"
    if item.kind == "union_tag_invalid":
        return _unknown_type(item)
    if item.kind == "union_tag_not_found":
        return _without_type(item)
    if item.is_key:
        return _wrong_key(item)
    if item.kind in ("too_short", "too_long"):
        return _wrong_length(item)
    return _wrong_value(item)


def shortened(text: str) -> str:
    """Shortens the given value in a validator's message."""
    text = re.sub(r"'([^']{60})[^']+'", r"'\1…'", text)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


_LONGEST = 300


def _wrong_length(item: _PydanticError) -> str:
    assert item.what
    if not isinstance(item.value, (list, tuple, dict)):  # A text: a list of one item may be written as the value alone.
        return f"must be {st.expected_text(item.what)}, not {item.shown()}{_example(item)}"
    return f"must be {st.expected_text(item.what)}, but has {len(item.value)}: {item.shown()}{_example(item)}"


def _wrong_key(item: _PydanticError) -> str:
    key = item.around.key_and_value()[0] if item.around and item.around.origin is dict else st.allowed(str)
    if key.annotation is str and not isinstance(item.value, str):
        return f"the key {st.shown(item.value)} must be text; put it in quotes: '{st.shown(item.value)}'"
    return f"the key {st.shown(item.value)} must be {st.expected_text(key)}"


def _wrong_value(item: _PydanticError) -> str:
    what = item.what
    if what is None:
        return f"cannot be {item.shown()}"
    if item.value is None:
        return _no_value(item, what)
    if what.annotation is str and not isinstance(item.value, (str, list, tuple)):
        return _needs_quotes(item)
    if (
        isinstance(item.value, int)
        and abs(item.value) > LARGEST
        and what.annotation is int
        and not _MOST & {*what.bounds}
    ):
        return f"must be at most {LARGEST}, not {item.shown()}"
    if what.sections:
        return _not_a_section(item, what)
    expected = st.expected_text(what)
    if what.origin is tuple and isinstance(item.value, dict) and all(value is None for value in item.value.values()):
        return (
            f"must be {expected}; write it in brackets: {item.key}: {st.shown(list(item.value)).replace(chr(39), '')}"
        )
    if what.origin is tuple and isinstance(item.value, dict) and what.item(0).sections:
        return f"must be {expected}, not {item.shown()}; write it in brackets: {item.key}: [{_yaml(item)}]"
    if what.origin is tuple and not isinstance(item.value, dict):
        return f"must be {expected}, not {item.shown()}; write {item.key}: [{_bare(item.value)}]"
    close = _closest(str(item.value), [str(each) for each in _choices(what)], 0.6)
    hint = f"; did you mean {close!r}?" if close else "" if item.kind in _OUT_OF_RANGE else _example(item)
    return f"must be {expected}, not {item.shown()}{hint}"


_MOST = {"le", "lt"}
_OUT_OF_RANGE = ("greater_than", "greater_than_equal", "less_than", "less_than_equal")


def _yaml(item: _PydanticError) -> str:
    text = item.written.get(item.loc) or st.shown(item.value)
    return text if len(text) <= 60 and text.startswith("{") else "{…}"


def _choices(what: st.Allowed) -> tuple[Any, ...]:
    return what.annotation.__args__ if hasattr(what.annotation, "__args__") else ()


def _bare(value: Any) -> str:
    text = st.shown(value)
    return text[1:-1] if isinstance(value, str) and value.replace(" ", "").isalnum() else text


def _no_value(item: _PydanticError, what: st.Allowed) -> str:
    if item.written.get(item.loc, "null") == "":
        return f"has no value; it must be {st.expected_text(what)}{_example(item)}"
    if what.annotation is str:
        return f"must be text, not null; put it in quotes if null is meant as text: 'null'{_example(item)}"
    has_default = what.sections and what.field is not None and not what.field.is_required()
    hint = f"; leave {item.key} out for its default" if has_default else _example(item)
    return f"must be {st.expected_text(what)}, not null{hint}"


def _needs_quotes(item: _PydanticError) -> str:
    text = item.written.get(item.loc) or st.shown(item.value)
    quoted = f"'{text}'" if "'" not in text else f'"{text}"'
    if isinstance(item.value, dict) and len(text) > 60:
        return f"must be text, not {item.shown()}"
    return f"must be text, not {item.shown()}; put it in quotes: {quoted}"


def _not_a_section(item: _PydanticError, what: st.Allowed) -> str:
    names = [name for name in map(st.type_of, what.sections) if name]
    if isinstance(item.value, str) and item.value in names:
        return f"must be a section, not {item.shown()}; write {item.key}: {{{_tag(what)}: {item.value}}}"
    key, colon, value = item.value.partition(":") if isinstance(item.value, str) else ("", "", "")
    if colon and value and any(key in st.keys_of(section) for section in what.sections):
        return f"must be a section, not {item.shown()}; write a space after the colon: {key}: {value}"
    return f"must be a section, that is, keys with values, not {item.shown()}{_section_example(item, what)}"


def _section_example(item: _PydanticError, what: st.Allowed) -> str:
    types = [str(st.type_of(section)) for section in what.sections]
    others = f"; its {_tag(what)}s are {st.listed(types, 'and')}" if types[1:] else ""
    return _example(item) or others or f"; its {_keys_are(st.keys_of(what.sections[0]))}"


def _unknown_type(item: _PydanticError) -> str:
    assert item.what
    names = [str(st.type_of(section)) for section in item.what.sections]
    key = _tag(item.what)
    tag = item.value.get(key) if isinstance(item.value, Mapping) else item.context.get("tag")
    close = _closest(str(tag), names, 0.6)
    hint = f"; did you mean {close!r}?" if close else ""
    return f"unknown {key} {st.shown(tag)}; the {key}s are {st.listed(names, 'and')}{hint}"


def _without_type(item: _PydanticError) -> str:
    assert item.what
    names = [str(st.type_of(section)) for section in item.what.sections]
    keys = [str(key) for key in item.value] if isinstance(item.value, Mapping) else []
    tag = _tag(item.what)
    misspelt = next((key for key in keys if _closest(key, [tag], 0.7) and not _known(key, item.what)), None)
    if misspelt:
        return (
            f"needs a {tag} ({st.listed(names, 'or')}); did you mean {tag!r} instead of the unknown key {misspelt!r}?"
        )
    fitting = _fitting(item.value, item.what)
    if not fitting:
        unknown = [key for key in keys if not _known(key, item.what)]
        also = f", and no {tag} has the key {shortened(repr(unknown[0]))}" if unknown else ""
        return f"needs a {tag}: {st.listed(names, 'or')}{also}"
    if len(fitting) == 1:
        return f"needs a {tag}; {st.shown(item.value)} fits {fitting[0]}: add {tag}: {fitting[0]}"
    fits = st.listed(fitting, "and")
    return f"needs a {tag}; {st.shown(item.value)} fits {fits}: add {tag}: {fitting[0]}, or another"


def _tag(what: st.Allowed | None) -> str:
    """Returns the key that says which of several sections is meant."""
    return next(filter(None, map(st.tag_of, what.sections)), "type") if what else "type"


def _known(key: str, what: st.Allowed) -> bool:
    return any(key in st.keys_of(section) for section in what.sections)


def _fitting(value: Any, what: st.Allowed) -> list[str]:
    """Returns the types of section that `value` is valid for; if there is none, those that have its keys."""
    if not isinstance(value, Mapping) or not value:
        return []
    sound = [section for section in what.sections if _is_sound(value, section)]
    named = [section for section in what.sections if set(value) <= set(st.keys_of(section))]
    return [str(st.type_of(section)) for section in sound or named]


def _is_sound(value: Mapping[Any, Any], section: type[BaseModel]) -> bool:
    try:
        section.model_validate(dict(value))
    except ValidationError:
        return False
    return True


def _example(item: _PydanticError) -> str:
    """Returns `; for example epochs: 20` if there is a short example."""
    field = item.what.field if item.what else None
    if field is None:
        return ""
    if field.examples:
        return f"; for example {item.key}: {field.examples[0]}"
    default = st.default_of(field)
    if default is PydanticUndefined or default is None or default in ({}, [], ""):
        return ""
    text = st.shown(default)
    return "" if "…" in text else f"; for example {item.key}: {_plain(text)}"


def _plain(text: str) -> str:
    """Removes quotes that YAML does not need."""
    inner = text[1:-1]
    return inner if text[:1] == "'" and inner.replace("_", "").isalnum() and not inner.isdigit() else text
