"""Differences of two configurations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

_ELSEWHERE = ("workspace", "registry", "report", "model_card", "beam", "kubeflow")
"""Keys that change no model."""
ABSENT = "–"


class Setting(NamedTuple):
    """A key whose value differs; `ABSENT` on a side that does not have it."""

    key: str
    a: str
    b: str


def changed_settings(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Setting]:
    """Returns the keys that affect a model and differ, in the order of the configuration."""
    flat_a, flat_b = dict(_flat(a)), dict(_flat(b))
    keys = [*flat_a, *(key for key in flat_b if key not in flat_a)]
    return [
        Setting(key, flat_a.get(key, ABSENT), flat_b.get(key, ABSENT))
        for key in keys
        if key.partition(".")[0] not in _ELSEWHERE and flat_a.get(key) != flat_b.get(key)
    ]


def _flat(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Yields the leaves of a configuration: key path and value as text; a list is one leaf."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{place}.{key}" if place else str(key))
    elif place:
        yield place, _text(value)


def _text(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)
