"""Suggested configuration lines for mask values without a label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import yaml

from components.example_gen.config import ColourLabels, IndexLabels, ValueLabels


def labels_line(classes: Mapping[int | str, str], void: Sequence[int | str] = (), type: str = "values") -> str:
    """`labels: {type: values, classes: {0: background, 255: thing}}`, as YAML that can be pasted below `data`."""
    labels: dict[str, object] = {"type": type, "classes": dict(classes)}
    if void:
        labels["void"] = list(void)
    return f"labels: {_flow(labels)}"


def unknown_remedy(
    labels: IndexLabels | ValueLabels | ColourLabels, class_names: Sequence[str], unknown: Sequence[str]
) -> str:
    """Returns the remedy for masks with the values `unknown`, which no label names; empty if there are many."""
    if not unknown:
        if len(class_names) == 2:
            return "use labels: {type: threshold} for anti-aliased masks, or save them without it, as PNG"
        return "save the masks as PNG, without anti-aliasing, or use data.labels.unknown: void"
    if isinstance(labels, ColourLabels):
        return f"data.labels.void: {_flow([*unknown, *labels.void])}, or one more colour in data.labels.classes"
    if not all(_is_whole(value) for value in unknown):
        return "save the masks with whole numbers, or use data.labels.unknown: void"
    values = [int(float(value)) for value in unknown]
    void = f"data.labels.void: {_flow([*values, *labels.void])}"
    if isinstance(labels, ValueLabels):
        return f"{void}, or data.labels.classes with {', '.join(map(str, values))}"
    if len(class_names) == 2 and len(values) == 1:
        line = labels_line({labels.offset: class_names[0], values[0]: class_names[1]})
        return f"{line}, or {void}, or one more class"
    return f"{void}, or one more class"


def _is_whole(value: str) -> bool:
    number = float(value)
    return number == number and abs(number) < 1e15 and number == int(number)


def _flow(value: object) -> str:
    text: str = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10_000, allow_unicode=True)
    return text.strip()
