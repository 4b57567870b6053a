"""The Beam pipeline of ingestion: from a listing to sharded records, a quarantine and a summary.

Only names, hashes and decisions are shuffled, never images: a first pass over the images hashes their bytes, to find
duplicates; a second pass, one record file at a time, loads the file's pairs and writes them in the order of their
ids.  So memory does not grow with the data, and the same input gives the same bytes in the same files.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import apache_beam as beam
import tensorflow as tf
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems
from apache_beam.utils.shared import Shared

from common.progress_counter import ProgressCounter
from common.records import SPLITS
from components.example_gen.config import Labels
from components.example_gen.ingestion import Ingestion
from components.example_gen.pairing import Listing, Pair
from components.example_gen.quarantine import QUARANTINE_FILE, SUMMARY_FILE, Quarantined
from components.example_gen.split_counts import SplitCounts, summarise
from components.example_gen.splits import Candidate, hashed_share

_CHUNK = 64  # Pairs that one worker hashes at a time.
_QUARANTINED = "quarantined"
_STAGING = ".staging"

ShardKey = tuple[str, int]


@dataclass(frozen=True)
class Destination:
    """Output folders, local or in a bucket."""

    examples: str
    quarantine: str

    def split_folder(self, split: str) -> str:
        """The folder of a split's record files, as TFX expects it."""
        return f"{self.examples}/Split-{split}"

    def shard(self, key: ShardKey, shards: int) -> str:
        """The record file of a shard."""
        split, index = key
        return f"{self.split_folder(split)}/data_tfrecord-{index:05d}-of-{shards:05d}"

    def prepare(self) -> None:
        """Makes the folders, if the file system has folders."""
        for folder in (*map(self.split_folder, SPLITS), self.staging, self.quarantine):
            if not FileSystems.exists(folder):
                FileSystems.mkdirs(folder)

    def clean(self) -> None:
        """Removes the files of interrupted attempts."""
        if FileSystems.exists(self.staging):
            FileSystems.delete([self.staging])

    @property
    def staging(self) -> str:
        """Temporary folder for files before they are moved into place; readers ignore it."""
        return f"{self.examples}/{_STAGING}"


def ingest(
    pipeline: beam.Pipeline, ingestion: Ingestion, listing: Listing, classes: tuple[str, ...], destination: Destination
) -> None:
    """Adds to `pipeline` all steps from `listing` to the files in `destination`, which must be prepared."""
    shards = ingestion.shards(listing)
    chunks = [list(listing.pairs[i : i + _CHUNK]) for i in range(0, len(listing.pairs), _CHUNK)]
    identified = (
        pipeline
        | "Pairs" >> beam.Create(chunks)
        | "Spread" >> beam.Reshuffle()
        | "Identify" >> beam.ParDo(_Identify(ingestion)).with_outputs(_QUARANTINED, main="candidates")
    )
    settled = (
        identified.candidates
        | "ByContent" >> beam.Map(lambda candidate: (candidate.content, candidate))
        | "Twins" >> beam.GroupByKey()
        | "Settle" >> beam.ParDo(_SettleTwins(ingestion)).with_outputs(_QUARANTINED, main="candidates")
    )
    keys = [((split, index), None) for split, count in shards.items() for index in range(count)]
    written = (
        (
            settled.candidates | "ByShard" >> beam.Map(_with_shard, shards),
            pipeline | "EveryShard" >> beam.Create(keys),  # Readers need a file even for an empty split.
        )
        | "Together" >> beam.Flatten()
        | "Shards" >> beam.GroupByKey()
        | "Write"
        >> beam.ParDo(_WriteShard(ingestion, shards, destination, len(listing.pairs))).with_outputs(
            _QUARANTINED, main="counts"
        )
    )
    quarantined = (
        (
            pipeline | "Unpaired" >> beam.Create(list(listing.quarantined)),
            identified[_QUARANTINED],
            settled[_QUARANTINED],
            written[_QUARANTINED],
        )
        | "AllQuarantined" >> beam.Flatten()
        | "Listed" >> beam.combiners.ToList()
    )
    _ = (
        written.counts
        | "Sum" >> beam.CombineGlobally(_SumCounts())
        | "Account"
        >> beam.Map(
            _write_account,
            beam.pvalue.AsSingleton(quarantined),
            replace(listing, pairs=(), quarantined=()),
            classes,
            ingestion.labels,
            ingestion.folds,
            destination.quarantine,
        )
    )


class _Identify(beam.DoFn):
    """Chunks of pairs → candidates, and the pairs whose image cannot be read."""

    def __init__(self, ingestion: Ingestion) -> None:
        self._ingestion = ingestion

    def process(self, pairs: list[Pair]) -> Iterator[Any]:
        for result in self._ingestion.identify(pairs):
            yield _tagged(result) if isinstance(result, Quarantined) else result


class _SettleTwins(beam.DoFn):
    """Candidates of one content → those that are kept, and those that would leak or contradict each other."""

    def __init__(self, ingestion: Ingestion) -> None:
        self._ingestion = ingestion

    def process(self, element: tuple[str, Iterable[Candidate]]) -> Iterator[Any]:
        kept, leaks = self._ingestion.resolve(list(element[1]))
        yield from kept
        yield from map(_tagged, leaks)


class _WriteShard(beam.DoFn):
    """Candidates of one shard → its record file, its counts, and the unusable pairs."""

    def __init__(self, ingestion: Ingestion, shards: dict[str, int], destination: Destination, total: int) -> None:
        self._ingestion = ingestion
        self._shards = shards
        self._destination = destination
        self._total = total
        self._shared = Shared()

    def setup(self) -> None:
        self._counter = self._shared.acquire(lambda: ProgressCounter("ingested", self._total))

    def process(self, element: tuple[ShardKey, Iterable[Candidate | None]]) -> Iterator[Any]:
        key, grouped = element
        candidates = sorted(filter(None, grouped), key=lambda candidate: candidate.pair.id)
        counts = SplitCounts()
        with tempfile.TemporaryDirectory() as scratch:
            local = str(Path(scratch, "records"))
            with tf.io.TFRecordWriter(local) as writer:
                for result in self._ingestion.load(candidates):
                    self._counter.count()
                    if isinstance(result, Quarantined):
                        yield _tagged(result)
                    else:
                        writer.write(result.record)
                        counts.add(
                            result.split, result.measures, result.slices, result.mask, result.repeats, result.fold
                        )
            self._publish(local, self._destination.shard(key, self._shards[key[0]]))
        yield counts

    def _publish(self, local: str, address: str) -> None:
        """Moves a finished file into place atomically, so that a repeated attempt is harmless."""
        staged = f"{self._destination.staging}/{uuid.uuid4().hex}"
        with Path(local).open("rb") as source, _create(staged) as target:
            shutil.copyfileobj(source, target)
        FileSystems.rename([staged], [address])


class _SumCounts(beam.CombineFn):
    """Combines the counts of shards."""

    def create_accumulator(self) -> SplitCounts:
        return SplitCounts()

    def add_input(self, mutable_accumulator: SplitCounts, element: SplitCounts) -> SplitCounts:
        return mutable_accumulator.merge(element)

    def merge_accumulators(self, accumulators: Iterable[SplitCounts]) -> SplitCounts:
        total = SplitCounts()
        for counts in accumulators:
            total.merge(counts)
        return total

    def extract_output(self, accumulator: SplitCounts) -> SplitCounts:
        return accumulator


def _with_shard(candidate: Candidate, shards: dict[str, int]) -> tuple[ShardKey, Candidate]:
    index = int(hashed_share(0, candidate.pair.id) * shards[candidate.split])
    return (candidate.split, index), candidate


def _tagged(entry: Quarantined) -> beam.pvalue.TaggedOutput:
    return beam.pvalue.TaggedOutput(_QUARANTINED, entry)


def _write_account(
    counts: SplitCounts,
    quarantined: list[Quarantined],
    listing: Listing,
    classes: tuple[str, ...],
    labels: Labels,
    folds: int | None,
    folder: str,
) -> None:
    ordered = sorted(quarantined, key=lambda entry: (entry.id, entry.image or "", entry.mask or ""))
    with _create(f"{folder}/{QUARANTINE_FILE}") as file:
        for entry in ordered:
            line = json.dumps(entry.model_dump(mode="json"), ensure_ascii=False)
            file.write(line.encode() + b"\n")
    summary = summarise(counts, ordered, listing, classes, labels, folds)
    with _create(f"{folder}/{SUMMARY_FILE}") as file:
        file.write(summary.model_dump_json(indent=2).encode() + b"\n")


def _create(address: str) -> Any:
    return FileSystems.create(address, compression_type=CompressionTypes.UNCOMPRESSED)
