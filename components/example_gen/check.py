"""Dry run of ingestion, which writes nothing."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby

from components.example_gen.config import DataConfig
from components.example_gen.ingestion import IngestedExample as IngestedExample  # Also for those who pass `OnUsed`.
from components.example_gen.ingestion import Ingestion
from components.example_gen.quarantine import IngestionSummary, Quarantined
from components.example_gen.split_counts import SplitCounts, summarise
from components.example_gen.splits import Candidate

OnProgress = Callable[[int, int], None]
"""Called with the number of pairs done and their total."""


OnUsed = Callable[[IngestedExample], None]
"""Called with each ingested pair."""


def survey(
    config: DataConfig, seed: int, on_progress: OnProgress | None = None, on_used: OnUsed | None = None
) -> tuple[IngestionSummary, list[Quarantined]]:
    """Returns the summary of the data set that `config` describes, and all unusable pairs, by id.

    Every image is read and decoded, as in ingestion itself.  Raises `UserError` if the source is not usable.
    """
    ingestion = Ingestion(config, seed)
    listing = ingestion.listing()
    candidates: list[Candidate] = []
    quarantined = list(listing.quarantined)
    for identified in ingestion.identify(listing.pairs):
        if isinstance(identified, Quarantined):
            quarantined.append(identified)
        else:
            candidates.append(identified)
    kept: list[Candidate] = []
    candidates.sort(key=lambda candidate: candidate.content)
    for _, duplicates in groupby(candidates, key=lambda candidate: candidate.content):
        stay, leaks = ingestion.resolve(list(duplicates))
        kept += stay
        quarantined += leaks
    counts = SplitCounts()
    kept.sort(key=lambda candidate: candidate.pair.id)
    for done, loaded in enumerate(ingestion.load(kept), 1):
        if isinstance(loaded, Quarantined):
            quarantined.append(loaded)
        else:
            counts.add(loaded.split, loaded.measures, loaded.slices, loaded.mask, loaded.repeats, loaded.fold)
            if on_used is not None:
                on_used(loaded)
        if on_progress is not None:
            on_progress(done, len(kept))
    quarantined.sort(key=lambda entry: (entry.id, entry.image or "", entry.mask or ""))
    summary = summarise(counts, quarantined, listing, config.classes, config.labels, config.split.folds)
    return summary, quarantined
