"""Checks that the data has the slices that the evaluator's configuration names, by the listing of the data."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from common.errors import UserError
from components.evaluator.config import EvaluatorConfig
from components.evaluator.thresholds import check_thresholds
from components.example_gen.config import DataConfig
from components.example_gen.features import bucket_names
from components.example_gen.pairing import Listing
from components.example_gen.slices import check_buckets, listed_slices
from pipeline.config.run_config import RunConfig


def check_slices(config: RunConfig, listing: Listing) -> None:
    """Checks buckets, `evaluator.slices` and the slices of the thresholds against the data.

    An empty listing has no columns and passes; the check of the number of pairs rejects it.

    Raises:
        UserError: a bucket has the name of a column, or a configured column or value is not in the data.
    """
    check_buckets(config.data, listing)
    if not listing.pairs:
        return
    values = {**listed_slices(listing), **_bucket_values(config.data)}
    check_thresholds(config.evaluator, config.data.classes, values)
    for path, column, value in asked_values(config.evaluator):
        if value not in values[column]:
            raise UserError(f"{path}: no image has {column} = {value!r}; {_hint(value, values[column])}")


def asked_values(evaluator: EvaluatorConfig) -> list[tuple[str, str, str]]:
    """Returns the key path, column and value of each threshold on one value of a column."""
    return [
        (f"evaluator.thresholds[{index}].slice", column, value)
        for index, threshold in enumerate(evaluator.thresholds)
        if isinstance(threshold.slice, dict)
        for column, value in threshold.slice.items()
    ]


def _bucket_values(config: DataConfig) -> dict[str, set[str]]:
    return {name: {*bucket_names(rule.edges)} for name, rule in config.buckets.items()}


def _hint(value: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(value, list(known), n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    shown = sorted(known)[:10]
    return f"there are {', '.join(shown)}" + (f" and {len(known) - len(shown)} more" if len(known) > len(shown) else "")
