"""A plan as YAML: a patch of the configuration, with the reasons as comments."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from pipeline.plan.proposal import Proposal

_WIDTH = 110
_INDENT = "  "
_PLAIN = re.compile(r"[A-Za-z][A-Za-z_-]*")
_NOT_TEXT = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
_Tree = dict[str, "Proposal | _Tree"]


def patch_text(proposals: Sequence[Proposal], heading: str) -> str:
    """Returns a YAML mapping of the proposed settings, each below its reason."""
    tree: _Tree = {}
    for proposal in proposals:
        *sections, key = proposal.key.split(".")
        node = tree
        for section in sections:
            inner = node.setdefault(section, {})
            assert isinstance(inner, dict), f"{proposal.key} is both a value and a section"
            node = inner
        node[key] = proposal
    return "\n".join([*_comment(heading, ""), *_lines(tree, ""), ""])


def _lines(tree: _Tree, indent: str) -> Iterator[str]:
    for key, inner in tree.items():
        if isinstance(inner, Proposal):
            yield from _comment(inner.reason, indent)
            yield f"{indent}{key}: {_written(inner.value)}"
        else:
            yield f"{indent}{key}:"
            yield from _lines(inner, indent + _INDENT)


def _comment(text: str, indent: str) -> list[str]:
    printable = "".join(character if character.isprintable() else "�" for character in text)
    return textwrap.wrap(printable, _WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")


def _written(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_written(key)}: {_written(item)}" for key, item in value.items()) + "}"
    if not isinstance(value, str):
        return json.dumps(value)
    if _PLAIN.fullmatch(value) and value.lower() not in _NOT_TEXT:
        return value
    quoted = json.dumps(value, ensure_ascii=False)
    return "".join(character if character.isprintable() else f"\\U{ord(character):08x}" for character in quoted)
