"""Our side: the trainer as the pipeline calls it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.seeds.data import Prepared, read_images
from benchmarks.seeds.sides import Outcome
from components.trainer.history import TrainingHistory
from components.trainer.losses.config import given_class_weights
from components.trainer.phases import phases
from components.trainer.predictions import predicted_mask_BHW
from components.trainer.training import Places, train
from pipeline.config import RunConfig


def train_ours(config: RunConfig, seed: int, prepared: Prepared) -> Outcome:
    """Trains on the train split; the best epoch on eval is what predicts eval and test."""
    trainer, classes = config.trainer, config.data.classes
    files = prepared.record_files
    with TemporaryDirectory() as folder:
        places = Places(files["train"], files["eval"], folder, str(Path(folder, "events")))
        weights = given_class_weights(trainer.class_weights, classes)
        result = train(trainer, config.transform, len(classes), seed, places, weights)
    assert result is not None

    def masks(split: str) -> np.ndarray:
        images = read_images(files[split], config.transform.height, config.transform.width)
        logits = result.network.predict(images, batch_size=trainer.batch_size, verbose=0)
        return predicted_mask_BHW(logits).numpy().astype(np.uint8)

    steps = -(-result.history.train_pictures // trainer.pictures_per_step)
    seconds = _phase_seconds(config, result.history, steps)
    return Outcome(result.network.count_params(), seconds, {split: masks(split) for split in files if split != "train"})


def _phase_seconds(config: RunConfig, history: TrainingHistory, steps: int) -> Sequence[Sequence[float]]:
    seconds = [steps * epoch.milliseconds_per_step / 1000 for epoch in history.epochs]
    return [seconds[phase.begin : phase.end] for phase in phases(config.trainer)]
