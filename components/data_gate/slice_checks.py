"""Checks of the slicing columns: values that no image of the test split has."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from common.records import slice_feature
from components.data_gate.result import Finding
from components.example_gen.quarantine import IngestionSummary

_TEST = "test"
MOST_VALUES = 20
"""A column with more values, such as a date, is not one that each split has to cover."""
_NAMED = 8


def check_slices(summary: IngestionSummary, values_in_test: Mapping[str, Collection[str]]) -> list[Finding]:
    """Warns of slice values without an image in test, where they have no metric.

    Args:
        summary: Summary of the ingestion.
        values_in_test: Slicing column → its values that occur in the test split.
    """
    if not summary.used.get(_TEST):
        return []
    findings = []
    for column, counts in summary.slices.items():
        missing = [value for value in counts if value not in values_in_test.get(column, ())]
        if missing and len(counts) <= MOST_VALUES:
            findings.append(_finding(column, missing, counts))
    return findings


def _finding(column: str, missing: list[str], counts: Mapping[str, int]) -> Finding:
    named = ", ".join(f"{value!r} ({counts[value]})" for value in missing[:_NAMED])
    more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
    detail = (
        f"no image of {_TEST} has {column} = {named}{more}, so no metric is computed there: give pairs of that kind to "
        f"{_TEST}, or set data.split.stratify: {column}"
    )
    return Finding(check="slices", split=_TEST, feature=slice_feature(column), passed=True, warning=True, detail=detail)
