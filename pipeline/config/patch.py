"""`--set @FILE`: a patch, which is a YAML file with some keys of the configuration.

Sections are merged; every other value, lists and mappings by name among them, replaces what the configuration has.  A
section with another `type` and an empty section (`{}`) replace it too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel

from common import settings_types as st
from common.errors import UserError
from common.settings_errors import Loc
from pipeline.config.file import Document, Mistakes, read_document
from pipeline.config.sections import allowed_at

_MARK = "@"


def is_patch(override: str) -> bool:
    """Whether an override names a file."""
    return override.startswith(_MARK)


def apply_patch(document: Document, override: str, model: type[BaseModel]) -> None:
    """Merges a patch into a document that describes `model`.

    Raises:
        UserError: the file cannot be read, or is not a YAML mapping.
    """
    try:
        patch = read_document(Path(override.removeprefix(_MARK)))
    except Mistakes as mistakes:
        line, text = mistakes.found[0]
        raise UserError(f"--set {override}{f', line {line}' if line else ''}: {text}") from None
    _merge(document.value, patch.value, st.allowed(model), (), document, patch)


def _merge(
    node: dict[Any, Any], given: dict[Any, Any], what: st.Allowed, loc: Loc, document: Document, patch: Document
) -> None:
    for name, value in given.items():
        key = next((known for known in node if str(known) == str(name)), name)
        place = (*loc, key)
        inner = allowed_at(what, node, str(name))
        if inner is not None and inner.sections and _mergeable(node.get(key), value, st.tag_of(inner.sections[0])):
            _merge(node[key], value, inner, place, document, patch)
            continue
        node[key] = value
        document.override(place, {at: text for at, text in patch.written.items() if at[: len(place)] == place})


def _mergeable(old: Any, new: Any, tag: str | None) -> bool:
    if not (isinstance(old, dict) and isinstance(new, dict) and new):
        return False
    return tag not in old or tag not in new or old[tag] == new[tag]
