"""Empty sections of a configuration, such as `trainer:` alone, which get their defaults."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from common import settings_types as st
from common.settings_errors import Loc, Mistake
from common.settings_places import place_text
from pipeline.config.file import Document


def settle_empty_sections(document: Document, model: type[BaseModel]) -> list[Mistake]:
    """Removes the empty sections of a document that describes `model`, so that they get their defaults.

    If null does not mean the defaults (`tuner:`, `serving_check:`), an empty section is ambiguous; it stays, and is
    returned as a mistake.  An explicit null (`schedule: null`) stays too, and is refused where null is not allowed.
    """
    found: list[Mistake] = []
    _settle(document.value, st.allowed(model), (), (), document, found)
    return found


def _settle(
    node: Any, what: st.Allowed, loc: Loc, place: tuple[str | int, ...], document: Document, found: list[Mistake]
) -> None:
    if isinstance(node, list) and what.origin is tuple:
        for index, item in enumerate(node):
            _settle(item, what.item(index), (*loc, index), (*place, index), document, found)
    elif isinstance(node, dict) and what.origin is dict:
        for key, item in node.items():
            _settle(item, what.key_and_value()[1], (*loc, key), (*place, str(key)), document, found)
    elif isinstance(node, dict):
        for key in list(node):
            inner = allowed_at(what, node, key)
            if inner is None:
                continue
            _settle(node[key], inner, (*loc, key), (*place, str(key)), document, found)
            if node[key] is None and inner.sections and inner.field and not inner.field.is_required():
                _settle_empty(node, key, inner, (*loc, key), (*place, str(key)), document, found)


def _settle_empty(
    node: dict[Any, Any],
    key: Any,
    what: st.Allowed,
    loc: Loc,
    place: tuple[str | int, ...],
    document: Document,
    found: list[Mistake],
) -> None:
    if not what.nullable and document.written.get(loc, "") == "":
        del node[key]
    elif what.nullable and document.written.get(loc) == "":
        required = sorted(st.required_keys(what.sections[0]))
        given = f"give it {st.listed(required, 'and')}" if required else f"write {key}: {{}} for its defaults"
        found.append(Mistake(loc, f"{place_text(place)} is empty; {given}, or write {key}: null for none"))


def allowed_at(what: st.Allowed, node: dict[Any, Any], key: Any) -> st.Allowed | None:
    """Returns what is allowed at a key of a section; of several types of section, in the one that `type` names."""
    sections = [s for s in what.sections if len(what.sections) == 1 or st.type_of(s) == node.get(st.tag_of(s))]
    return st.allowed_in(sections[0], key) if sections and isinstance(key, str) else None
