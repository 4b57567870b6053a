"""`--set key.path=value`: a change of the configuration on the command line."""

from __future__ import annotations

import itertools
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from common import settings_types as st
from common.errors import UserError
from common.settings_errors import Loc
from common.settings_places import Part, parse_place, place_text
from pipeline.config.file import Document, Mistakes, parse


def apply_override(document: Document, override: str, model: type[BaseModel]) -> None:
    """Sets the value of `key.path=value` in a document that describes `model`.

    Key paths are written as in messages: `evaluator.thresholds[0].at_least=0.5`.  A list that the document does not
    have is taken from the defaults, so that one of its items can be changed.

    Raises:
        UserError: it cannot be parsed, or its path goes into a value without keys or items.
    """
    parts, value = _read(override)
    node, loc = document.value, _Path(document, model, override)
    for part, following in itertools.pairwise(parts):
        node = loc.enter(node, part, following)
    last = loc.key(node, parts[-1])
    node[last] = _value(override, value, document, (*loc.loc, last))


def _read(override: str) -> tuple[tuple[Part, ...], str]:
    try:
        parts, rest = parse_place(override)
    except ValueError:
        rest = ""
    if not rest.startswith("="):
        raise UserError(f"--set {override!r}: write it as key.path=value, such as --set trainer.epochs=5")
    return parts, rest[1:]


def _value(override: str, text: str, document: Document, loc: Loc) -> Any:
    try:
        inner = parse(text, loc)
    except Mistakes as mistakes:
        reasons = "; ".join(reason for _, reason in mistakes.found)
        raise UserError(f"--set {override!r}: {text!r} is not a valid YAML value: {reasons}") from None
    document.override(loc, inner.written or ({loc: ""} if inner.value is None else {}))
    return inner.value


class _Path:
    """Path through the document to the value that is changed."""

    def __init__(self, document: Document, model: type[BaseModel], override: str) -> None:
        self.loc: Loc = ()
        self._parts: tuple[Part, ...] = ()
        self._document, self._override = document, override
        self._what: st.Allowed | None = st.allowed(model)

    def enter(self, node: Any, part: Part, following: Part) -> Any:
        """Returns the section or list at `part`; a missing one is created empty, or with its default."""
        key = self.key(node, part)
        self._descend(part)
        self.loc = (*self.loc, key)
        self._parts = (*self._parts, part)
        if isinstance(node, dict) and node.get(key) is None:
            node[key] = [] if self._is_list() else {}
            if isinstance(following, int):
                node[key] = self._default()
        return node[key]

    def key(self, node: Any, part: Part) -> Any:
        """Returns `part` as a key or index of `node`."""
        here = place_text(self._parts) or "the configuration"
        if isinstance(part, int):
            if not isinstance(node, list):
                raise self._error(f"{here} is not a list, but {st.shown(node)}")
            if part >= len(node):
                last = f"the last is {here}[{len(node) - 1}]" if node else "the list is empty"
                raise self._error(f"{here}[{part}] does not exist: {last}; to add an item, write the whole list")
            return part
        if isinstance(node, list):
            raise self._error(f"{here} is a list; write one of its items as {here}[0]")
        if not isinstance(node, dict):
            raise self._error(f"{here} is {st.shown(node)}, and holds no further keys; write {here}={{{part}: …}}")
        return next((key for key in node if str(key) == part), part)

    def _descend(self, part: Part) -> None:
        what, self._what = self._what, None
        if what is None:
            return
        if what.origin is tuple and isinstance(part, int):
            self._what = what.item(part)
        elif what.origin is dict:
            self._what = what.key_and_value()[1]
        else:
            inner = [st.allowed_in(section, str(part)) for section in what.sections]
            self._what = next((each for each in inner if each), None)

    def _is_list(self) -> bool:
        return self._what is not None and self._what.origin is tuple

    def _default(self) -> Any:
        default = st.default_of(self._what.field) if self._what and self._what.field else PydanticUndefined
        return default if isinstance(default, list) else {}

    def _error(self, text: str) -> UserError:
        return UserError(f"--set {self._override!r}: {text}")
