"""Key paths, the notation of places in the configuration: `evaluator.thresholds[0].metric`.

Keys are joined by dots, an index of a list is a number in brackets, and a key with a dot, a space or the like in
it is a quoted text in brackets: `kubeflow.steps.default.node_selector["nvidia.com/gpu.present"]`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

Part = str | int
"""A key, or a list index from 0."""

_KEY = r"[^\s.=\[\]{}\"'#,:]+"
_PART = re.compile(rf"\.?({_KEY})|\[(\d+)\]|\[(\"(?:[^\"\\]|\\.)*\")\]")


def place_text(parts: Iterable[Part]) -> str:
    """Formats a key path; the inverse of `parse_place`."""
    return "".join(_written(part) for part in parts).removeprefix(".")


def parse_place(text: str) -> tuple[tuple[Part, ...], str]:
    """Parses the key path at the beginning of `text` and returns it with the rest.

    Raises:
        ValueError: the text does not begin with a key.
    """
    parts: list[Part] = []
    end = 0
    while match := _PART.match(text, end):
        if bool(parts) != text.startswith(".", end) and match.group(1):
            break
        key, index, quoted = match.groups()
        parts.append(key or (int(index) if index else json.loads(quoted)))
        end = match.end()
    if not parts:
        raise ValueError(f"{text!r} does not begin with a key")
    return tuple(parts), text[end:]


def _written(part: Part) -> str:
    if isinstance(part, int):
        return f"[{part}]"
    return f".{part}" if re.fullmatch(_KEY, part) else f"[{json.dumps(part, ensure_ascii=False)}]"
