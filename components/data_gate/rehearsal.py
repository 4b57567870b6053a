"""Dry run of ingestion and StatisticsGen, which writes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from common import records
from components.data_gate.checks import Statistics
from components.example_gen.check import IngestedExample, OnProgress, OnUsed, survey
from components.example_gen.config import DataConfig
from components.example_gen.quarantine import IngestionSummary, Quarantined
from components.statistics import StatisticsInMemory


class Rehearsal(NamedTuple):
    """Result of a dry run: ingestion's summary, the pairs to be quarantined, and each split's statistics."""

    summary: IngestionSummary
    quarantined: list[Quarantined]
    statistics: dict[str, Statistics]


def rehearse(
    config: DataConfig,
    seed: int,
    on_progress: OnProgress | None = None,
    on_measuring: Callable[[], None] | None = None,
    on_used: OnUsed | None = None,
) -> Rehearsal:
    """Reads and decodes all pairs of `config`, and computes the statistics of their records.

    Args:
        config: The data.
        seed: The run's, which the splits depend on.
        on_progress: Called with the number of pairs read and their total.
        on_measuring: Called once all are read.
        on_used: Called with each ingested pair.

    Raises:
        UserError: the source is not usable.
    """
    splits = {split: StatisticsInMemory() for split in records.SPLITS}

    def use(used: IngestedExample) -> None:
        splits[used.split].add(used.record)
        if on_used is not None:
            on_used(used)

    summary, quarantined = survey(config, seed, on_progress, use)
    if on_measuring is not None:
        on_measuring()
    return Rehearsal(summary, quarantined, {split: measured.measure() for split, measured in splits.items()})
