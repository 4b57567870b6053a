"""Estimates the disk space that a run needs from its data and configuration, and compares it with the free space.

The factors were measured on runs of the shipped sample and of a smaller one.  A run that needs more than twice the free
space is refused before it starts; one that may not fit gets a warning.
"""

from __future__ import annotations

import functools
import shutil
import warnings
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.markup import escape

from common.errors import UserError
from common.machine_faults import megabytes
from components.trainer.architectures import Architecture, untrained
from components.transform.config import TransformConfig
from components.transform.pixel_format import RGB
from pipeline.config.run_config import RunConfig
from pipeline.dag.steps import (
    BASELINE,
    ENSEMBLE,
    EXAMPLE_GEN,
    EXPORTER,
    FOLD_TRAINERS,
    PUSHER,
    SERVING_CHECK,
    TRAINER,
    TRANSFORM,
)

_RECORD_OVERHEAD = 2_000  # Features of a record besides its image and mask.
_COMPRESSED = 0.75  # Ratio of TFX's compression of transformed records, for photographs.
_NATIVE = 3  # Bytes of compressed raw pixels a byte of a file, if images keep their size: 1 of PNG, 8 of JPEG.
_GRAPH = 3_000_000  # A SavedModel without its weights.
_CHECKPOINTS = 8  # Copies of the weights while training: two backups with the optimizer's state, the two best epochs.
_REST = 3_000_000  # Metadata, logs, statistics, report.


class DiskNeed(NamedTuple):
    """Estimate of the bytes that a run writes."""

    records: int
    transformed: int
    model: int
    """One exported model."""
    checkpoints: int
    """Of one training, which deletes them at its end."""
    folds: int = 0
    """Folds of cross-validation, each with a model; the average of them is as large as all together."""
    formats: int = 0
    """Formats besides the SavedModel; none is larger than it."""

    @property
    def models(self) -> int:
        """Peak of all models: checkpoints during training; later the copies with other formats and for the check."""
        copies = 2 * self.pushed if self.formats else self.pushed
        if self.folds:
            return self.folds * self.model + max(self.checkpoints, self.served + copies)
        return self.model + max(self.checkpoints, copies)

    @property
    def served(self) -> int:
        """The SavedModel that is pushed."""
        return max(1, self.folds) * self.model

    @property
    def pushed(self) -> int:
        """The version: the SavedModel and its other formats."""
        return self.served * (1 + self.formats)

    @property
    def workspace(self) -> int:
        """All bytes except the version in the registry."""
        return self.records + self.transformed + self.models + _REST

    def step(self, name: str) -> int | None:
        """Returns the bytes that a step needs, by its id in the pipeline; None if it needs only a few small files."""
        needs = {
            EXAMPLE_GEN.component: self.records,
            TRANSFORM.component: self.transformed,
            **{step.component: self.model + self.checkpoints for step in (TRAINER, *FOLD_TRAINERS)},
            ENSEMBLE.component: self.served,
            EXPORTER.component: self.pushed,
            SERVING_CHECK.component: self.pushed,
            BASELINE.component: self.pushed,
            PUSHER.component: self.pushed,
        }
        return needs.get(name)


def estimate(config: RunConfig, pairs: int, source_bytes: int, num_weights: int) -> DiskNeed:
    """Estimates the disk space that a run needs.

    Args:
        config: The run's configuration.
        pairs: Pairs of image and mask that are used.
        source_bytes: The size of their files.
        num_weights: Number of the network's weights.
    """
    transform = config.transform
    resized = int(_COMPRESSED * 4 * transform.height * transform.width * pairs)
    weights = 4 * num_weights
    return DiskNeed(
        records=source_bytes + _RECORD_OVERHEAD * pairs,
        transformed=int(_NATIVE * source_bytes * transform.scale**2) if transform.crops else resized,
        model=_GRAPH + weights,
        checkpoints=_CHECKPOINTS * weights,
        folds=config.data.split.folds or 0,
        formats=len(config.export.converted),
    )


def measure_need(config: RunConfig) -> DiskNeed:
    """Estimates the disk space that a run on the current data needs.

    Raises:
        UserError: the data cannot be listed.
    """
    from components.example_gen.ingestion import Ingestion  # Imports Beam.

    ingestion = Ingestion(config.data, config.seed)
    listing = ingestion.unsplit_listing()
    source_bytes = ingestion.count_bytes(listing.pairs)
    return estimate(config, len(listing.pairs), source_bytes, num_weights(config))


def num_weights(config: RunConfig) -> int:
    """Counts the network's weights by building it, untrained."""
    bands = len(config.data.bands.used) if config.data.bands else RGB.bands
    return _count_weights(untrained(config.trainer.model), config.transform, len(config.data.classes), bands)


@functools.lru_cache(maxsize=16)
def _count_weights(model: Architecture, transform: TransformConfig, num_classes: int, bands: int) -> int:
    import numpy as np
    import tensorflow as tf
    import tf_keras as keras

    from components.trainer.models import build_model  # Imports TensorFlow.

    ones_C = np.ones(bands)
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")  # Keras deprecates learning phases.
        # A graph of its own does not affect the training's names and random numbers.
        stack.enter_context(tf.Graph().as_default())
        # Otherwise each normalisation is built twice, for training and for prediction, which takes most of the time.
        stack.enter_context(keras.backend.learning_phase_scope(0))
        return int(build_model(model, transform, num_classes, 0 * ones_C, ones_C).count_params())


def check_disk(config: RunConfig, need: DiskNeed, console: Console) -> None:
    """Warns if the run needs most of the free space.

    Raises:
        UserError: less than half of the need is free, and the workspace holds no artifacts yet that may be reused.
    """
    for folder, wanted in _by_disk(config, need).items():
        usage = shutil.disk_usage(folder)
        if usage.free >= wanted:
            continue
        sentence = (
            f"the disk of {folder} has {megabytes(usage.free)} of {megabytes(usage.total)} MB left, and a run needs "
            f"about {megabytes(wanted)} MB there (in total: records {megabytes(need.records)}, transformed records "
            f"{megabytes(need.transformed)}, checkpoints and models {megabytes(need.models)}, the rest "
            f"{megabytes(_REST)}); make room, or name another folder with --set workspace=DIR"
        )
        if usage.free < wanted / 2 and not (config.workspace_dir / "artifacts").exists():
            raise UserError(sentence)
        console.print(f"[yellow]![/] {escape(sentence)}", soft_wrap=True)


def print_need(config: RunConfig, console: Console) -> None:
    """Prints what a run needs on each disk, and the free space there.

    Raises:
        UserError: as `check_disk`.
    """
    need = measure_need(config)
    check_disk(config, need, console)
    for folder, wanted in _by_disk(config, need).items():
        free = shutil.disk_usage(folder).free
        if free >= wanted:
            console.print(
                f"[green]✓[/] disk: a run needs about {megabytes(wanted)} MB in {escape(str(folder))}, "
                f"where {megabytes(free)} MB are left",
                soft_wrap=True,
            )


def _by_disk(config: RunConfig, need: DiskNeed) -> dict[Path, int]:
    """Returns an existing folder of each disk that the run writes to, and the bytes that it needs there."""
    wanted = [(config.workspace_dir, need.workspace)]
    if "://" not in config.registry_uri:
        wanted.append((Path(config.registry_uri), need.pushed))
    disks: dict[int, tuple[Path, int]] = {}
    for path, size in wanted:
        folder = next(part for part in (path, *path.parents) if part.is_dir())
        first, before = disks.get(folder.stat().st_dev, (folder, 0))
        disks[folder.stat().st_dev] = first, before + size
    return dict(disks.values())
