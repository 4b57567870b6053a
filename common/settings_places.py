"""The one way to write a place in the configuration: `evaluator.thresholds[0].metric`.

Keys are joined by dots, the place in a list is a number in brackets, and a key that has a dot, a space or the like in
it is a quoted text in brackets: `kubeflow.steps.default.node_selector["nvidia.com/gpu.present"]`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

Part = str | int
"""A key, or a number from 0 in a list."""

_KEY = r"[^\s.=\[\]{}\"'#,:]+"
_PART = re.compile(rf"\.?({_KEY})|\[(\d+)\]|\[(\"(?:[^\"\\]|\\.)*\")\]")


def place_text(parts: Iterable[Part]) -> str:
    """A place as a person writes it; the inverse of `parse_place`."""
    return "".join(_written(part) for part in parts).removeprefix(".")


def parse_place(text: str) -> tuple[tuple[Part, ...], str]:
    """The place that `text` begins with, and what follows it.

    Raises:
        ValueError: there is no place at its beginning.
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
