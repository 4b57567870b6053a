"""Runs a batch prediction: claims the output folder, runs the pipeline, and writes the list of rejected images."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from common import progress
from common.plurals import counted
from components.batch_predictor.config import BatchPredictionConfig
from components.batch_predictor.entries import Counts
from components.batch_predictor.index_file import read_rejected
from components.batch_predictor.listing import count_items
from components.batch_predictor.model_copy import ModelCopy
from components.batch_predictor.origin import ModelFacts, Origin, claim
from components.batch_predictor.out_folder import REJECTED_FILE, SUMMARY_FILE, OutFolder, locked
from components.batch_predictor.pipeline import add_prediction
from components.batch_predictor.shard import Job, check_share

_SHOWN = 8
MakePipeline = Callable[[], Any]
"""Returns a Beam pipeline, which runs when its context ends."""


def predict_all(
    config: BatchPredictionConfig,
    model: ModelFacts,
    provide_model: Callable[[OutFolder], AbstractContextManager[ModelCopy]],
    make_pipeline: MakePipeline,
    overwrite: bool = False,
) -> Counts:
    """Predicts the images of a source that have no result yet, and returns their numbers.

    Args:
        config: Source, output folder and limits.
        model: What is known of the model, before it is copied.
        provide_model: Puts the model where all workers read it.
        make_pipeline: Makes the Beam pipeline.
        overwrite: Whether results of other calls in the output folder are removed.

    Raises:
        UserError: the source has no image, the output folder is that of another model or source, or too many images are
            rejected.
    """
    out = OutFolder(config.out)
    progress.update("listing the images")
    items = count_items(config.source, out.root)
    with locked(out):
        origin = claim(out, model, config.source, items, overwrite)
        out.clean()
        out.remove(SUMMARY_FILE)
        with provide_model(out) as copy:
            job = Job(config.model_copy(update={"out": out.root}), origin, copy.folder)
            with make_pipeline() as pipeline:
                add_prediction(pipeline, job, items)
        counts = Counts.model_validate_json(out.read(SUMMARY_FILE))
        first = _write_rejected(out, origin)
        out.clean()
    progress.report(describe(counts, model))
    check_share(counts, config.max_rejected, first)
    return counts


def describe(counts: Counts, model: ModelFacts) -> str:
    """Returns one line: how many images are predicted, and by which model."""
    parts = [f"{counts.predicted} predicted by {model}"]
    parts += [f"{counts.kept} already there"] if counts.kept else []
    parts += [f"{counts.rejected} rejected"] if counts.rejected else []
    parts += [f"{counts.repeated} named more than once"] if counts.repeated else []
    return f"{counted(counts.images, 'image')}: {', '.join(parts)}"


def _write_rejected(out: OutFolder, origin: Origin) -> str:
    """Writes the rejected images of the index as JSON lines, and reports some; returns a sentence about the first."""
    lines: list[bytes] = []
    sentences: list[str] = []
    for shard in range(origin.shards):
        for row in read_rejected(out, origin, shard):
            lines.append(json.dumps(row, ensure_ascii=False).encode() + b"\n")
            if len(sentences) < _SHOWN:
                sentences.append(f"{row['path']}: {row['reason']}")
    out.write(REJECTED_FILE, b"".join(lines))
    for sentence in sentences:
        progress.report(f"rejected: {sentence}")
    if len(lines) > _SHOWN:
        progress.report(f"rejected: {len(lines) - _SHOWN} more, in {out.address(REJECTED_FILE)}")
    return sentences[0] if sentences else ""
