"""Checks of the masks' values: only void is drawn, contradictory palettes, unknown values."""

from __future__ import annotations

from collections.abc import Sequence

from common.plurals import counted
from common.records import MASK_CLASSES, MASK_VOID_FRACTION
from components.data_gate.result import Finding
from components.example_gen.label_lines import labels_line
from components.example_gen.quarantine import IngestionSummary, LabelValue, PaletteConflict

_SHOWN = 8
_BY_VALUE = ("index", "values")


def check_labels(summary: IngestionSummary) -> list[Finding]:
    """Checks the values of the masks against the configured labels; returns nothing if all pass."""
    return [
        *check_palettes(summary),
        *check_drawn_is_void(summary),
        *check_unknown_values(summary),
        *check_repeated(summary),
    ]


def check_palettes(summary: IngestionSummary) -> list[Finding]:
    """Checks that an index means the same in all palettes; one finding for the first contradiction."""
    conflicts = summary.labels.palettes
    if not conflicts:
        return []
    others = f" ({len(conflicts) - 1} more indices differ)" if len(conflicts) > 1 else ""
    detail = f"the palettes of {_contradiction(conflicts[0])}{others}; use labels of type colours"
    return [_finding(MASK_CLASSES, detail, passed=False)]


def check_drawn_is_void(summary: IngestionSummary) -> list[Finding]:
    """Checks for masks of only one class and void, which is how masks of 0 and 255 are read by default.

    Where masks of 0 and 1 lie among masks of 0 and 255, void (255) is never seen beside both classes in one mask.
    Labels of type values have void only if configured, so such masks are allowed there.
    """
    labels, classes = summary.labels, summary.classes
    voids = [value for value in labels.values if value.class_name is None] + list(labels.unknown)
    named = [value for value in labels.values if value.class_name is not None]
    present = sorted({value.class_name for value in named if value.class_name is not None}, key=classes.index)
    if not voids or not named:
        return []
    if len(present) == 1:
        return [_all_void(summary, named, voids, present[0])]
    mixed = labels.void_beside_one_class > 1 and not labels.void_beside_more
    if mixed and labels.type == "index" and len(classes) == 2 and len(voids) == 1:
        return [_mixed(summary, named, voids[0])]
    return []


def check_unknown_values(summary: IngestionSummary) -> list[Finding]:
    """Reports values that no label names: those that became void, and those whose masks are quarantined."""
    findings = []
    labels = summary.labels
    if labels.unknown_pixels:
        detail = (
            f"{_listed(labels.unknown)} became void, because no label names {_them(labels.unknown)} and "
            f"data.labels.unknown is void: {counted(labels.unknown_pixels, 'pixel')} in all"
        )
        findings.append(_finding(MASK_VOID_FRACTION, detail, passed=True, warning=True))
    if labels.quarantined:
        detail = (
            f"no label names {_listed(labels.quarantined)}: the masks are quarantined; add "
            f"{_them(labels.quarantined)} to data.labels.void, or name the class"
        )
        findings.append(_finding(MASK_CLASSES, detail, passed=True, warning=True))
    return findings


def check_repeated(summary: IngestionSummary) -> list[Finding]:
    """Reports duplicate pairs: image and mask equal another pair's of the split."""
    if not summary.repeated:
        return []
    counts = ", ".join(f"{count} in {split}" for split, count in summary.repeated.items())
    return [Finding(check="labels", passed=True, warning=True, detail=f"pairs repeat the image of another: {counts}")]


def _all_void(
    summary: IngestionSummary, named: Sequence[LabelValue], voids: Sequence[LabelValue], present: str
) -> Finding:
    values = " and ".join(value.value for value in (*named, *voids)[:_SHOWN])
    detail = (
        f"masks hold {values}, so only class {present} is left: {_join(voids)} is void, so nothing that was drawn "
        "counts"
    )
    others = [name for name in summary.classes if name != present]
    if len(voids) > 1 or not others:
        return _finding(MASK_VOID_FRACTION, f"{detail}; see data.labels", passed=False)
    classes = {_key(value): value.class_name or present for value in named}
    line = labels_line(classes | {_key(voids[0]): others[0]}, type=_type(summary))
    detail = f"{detail}; write {line}"
    if len(summary.classes) == 2 and summary.labels.type in _BY_VALUE and _is_white(voids[0]):
        detail += " or labels: {type: threshold}"
    elif len(others) > 1:
        detail += " (or the class that it is)"
    return _finding(MASK_VOID_FRACTION, detail, passed=False)


def _mixed(summary: IngestionSummary, named: Sequence[LabelValue], void: LabelValue) -> Finding:
    classes = {_key(value): value.class_name or "" for value in named}
    drawn = labels_line(classes | {_key(void): summary.classes[1]})
    kept = labels_line(classes, [_key(void)])
    masks = counted(summary.labels.void_beside_one_class, "mask holds", "masks hold")
    detail = (
        f"{masks} one class and {void.value}, the others both classes, none "
        f"holds all: if {void.value} is {summary.classes[1]} too, write {drawn}; if it is void, write {kept}"
    )
    return _finding(MASK_VOID_FRACTION, detail, passed=False)


def _contradiction(conflict: PaletteConflict) -> str:
    if conflict.index is None:
        return f"{conflict.first} and {conflict.second} differ: one has greys, which are read, the other colours"
    one, other = conflict.colours
    return (
        f"{conflict.first} and {conflict.second} differ: index {conflict.index} is {one} in one, {other} in the other"
    )


def _finding(feature: str, detail: str, passed: bool, warning: bool = False) -> Finding:
    return Finding(check="labels", feature=feature, passed=passed, warning=warning, detail=detail)


def _listed(values: Sequence[LabelValue]) -> str:
    shown = [
        f"{value.value} ({counted(value.masks, 'mask')}, {counted(value.pixels, 'pixel')})" for value in values[:_SHOWN]
    ]
    more = f" and {len(values) - len(shown)} more" if len(values) > len(shown) else ""
    return ", ".join(shown) + more


def _join(values: Sequence[LabelValue]) -> str:
    return ", ".join(value.value for value in values[:_SHOWN])


def _them(values: Sequence[LabelValue]) -> str:
    return "it" if len(values) == 1 else "them"


def _key(value: LabelValue) -> int | str:
    return value.value if value.value.startswith("#") else int(float(value.value))


def _type(summary: IngestionSummary) -> str:
    return "values" if summary.labels.type in _BY_VALUE else summary.labels.type


def _is_white(value: LabelValue) -> bool:
    return value.value == "255"
