"""The Beam pipeline of a batch prediction: list, spread over shards, predict, add up.

Only paths are shuffled.  A process holds the rows of the shards that it works on, the files that it reads ahead and two
batches of images; the number of images does not matter.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from functools import reduce
from operator import add

import apache_beam as beam
from apache_beam.utils.shared import Shared

from common.progress_counter import ProgressCounter
from components.batch_predictor.config import RecordsSource
from components.batch_predictor.entries import Counts, Item
from components.batch_predictor.listing import list_items
from components.batch_predictor.out_folder import SUMMARY_FILE, OutFolder
from components.batch_predictor.shard import Job, ShardPredictor


def add_prediction(pipeline: beam.Pipeline, job: Job, items: int) -> None:
    """Adds all steps from the source to the files in the output folder, with `summary.json`, to a pipeline.

    Args:
        pipeline: The pipeline to add to.
        job: What is predicted.
        items: Number of images or record files, for the progress.
    """
    _ = (
        pipeline
        | "Source" >> beam.Create([job])
        | "List" >> beam.FlatMap(_list)
        | "Shards" >> beam.GroupByKey()
        | "Predict" >> beam.ParDo(_PredictShard(job, items))
        | "Sum" >> beam.CombineGlobally(_sum)
        | "Summary" >> beam.Map(_write_summary, job.config.out)
    )


def shard_of(path: str, shards: int) -> int:
    """Returns the shard of an image, which depends on its path alone."""
    return int.from_bytes(hashlib.sha256(path.encode()).digest()[:8], "big") % shards


class _PredictShard(beam.DoFn):
    """Images of a shard → their masks and their part of the index, and the counts."""

    def __init__(self, job: Job, items: int) -> None:
        self._job = job
        self._items = items
        self._shared = Shared()

    def setup(self) -> None:
        self._predictor = self._shared.acquire(self._make_predictor)

    def process(self, element: tuple[int, Iterable[tuple[str, str, str]]]) -> Iterator[Counts]:
        shard, items = element
        yield self._predictor.predict(shard, (Item(*item) for item in items))

    def _make_predictor(self) -> ShardPredictor:
        if isinstance(self._job.config.source, RecordsSource):  # The number of records is not known.
            return ShardPredictor(self._job)
        return ShardPredictor(self._job, ProgressCounter("predicted", self._items, "images").count)


def _list(job: Job) -> Iterator[tuple[int, tuple[str, str, str]]]:
    for item in list_items(job.config.source, job.config.out):
        yield shard_of(item.path, job.origin.shards), (item.path, item.state, item.problem)


def _sum(counts: Iterable[Counts]) -> Counts:
    return reduce(add, counts, Counts())


def _write_summary(counts: Counts, out: str) -> None:
    OutFolder(out).write(SUMMARY_FILE, counts.model_dump_json(indent=2).encode())
