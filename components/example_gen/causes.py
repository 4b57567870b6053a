"""Causes of quarantined pairs; equal causes are reported once with their count."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from components.example_gen.quarantine import QuarantineCause, Quarantined

MOST = 20
"""Number of causes that a summary keeps."""


def group_causes(quarantined: Iterable[Quarantined]) -> tuple[QuarantineCause, ...]:
    """Groups quarantined pairs by cause, the most frequent first; entries without a cause are grouped by detail."""
    groups: defaultdict[tuple[str, str], list[Quarantined]] = defaultdict(list)
    for entry in quarantined:
        groups[entry.reason.value, entry.cause or entry.detail].append(entry)
    causes = [
        QuarantineCause(reason=found[0].reason, count=len(found), cause=found[0].cause, example=found[0])
        for found in groups.values()
    ]
    return tuple(sorted(causes, key=lambda cause: (-cause.count, cause.reason.value, cause.example.id)))


def describe_cause(cause: QuarantineCause) -> str:
    """One line: `34 × missing_mask: names a mask that does not exist; for example row 7: …; what to do`."""
    first = cause.example
    if cause.count == 1:
        line = f"{first.id}: {first.reason.value}: {first.detail}"
    elif cause.cause is None or cause.cause == first.detail:
        line = f"{cause.count} × {first.reason.value}: {first.detail}; the first is {first.id}"
    else:
        line = f"{cause.count} × {first.reason.value}: {cause.cause}; for example {first.id}: {first.detail}"
    return f"{line}; {first.remedy}" if first.remedy and first.remedy not in line else line


def describe_causes(causes: Sequence[QuarantineCause], shown: int) -> list[str]:
    """A line for each of the first causes, and one that counts the rest."""
    lines = [describe_cause(cause) for cause in causes[:shown]]
    if rest := causes[shown:]:
        lines.append(f"… and {sum(cause.count for cause in rest)} more for {len(rest)} other causes")
    return lines
