"""Our side: the Trainer as the pipeline calls it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import tf_keras as keras

from benchmarks.seeds.data import Prepared, read_images
from benchmarks.seeds.sides import Outcome
from components.trainer.history import TrainingHistory
from components.trainer.losses.config import given_class_weights
from components.trainer.phases import phases
from components.trainer.predictions import predicted_mask_BHW
from components.trainer.training import Places, Result, train
from pipeline.config.run_config import RunConfig


def our_outcome(config: RunConfig, seed: int, prepared: Prepared) -> Outcome:
    """Trains on the train split; the best epoch on eval is what predicts eval and test."""
    network, history = train_ours(config, seed, prepared)
    predictions = {
        split: predict(network, config, files) for split, files in prepared.record_files.items() if split != "train"
    }
    return Outcome(
        parameters=network.count_params(),
        phases=_by_phase(config, _epoch_seconds(config, history)),
        scores=_by_phase(config, [epoch.metrics["val_mean_iou"] or 0.0 for epoch in history.epochs]),
        images_per_epoch=history.train_pictures,
        predictions=predictions,
    )


def train_ours(config: RunConfig, seed: int, prepared: Prepared) -> Result:
    """Trains as the pipeline's Trainer does."""
    files, classes = prepared.record_files, config.data.classes
    with TemporaryDirectory() as folder:
        places = Places(files["train"], files["eval"], folder, str(Path(folder, "events")))
        weights = given_class_weights(config.trainer.class_weights, classes)
        result = train(config.trainer, config.transform, len(classes), seed, places, weights)
    assert result is not None
    return result


def predict(network: keras.Model, config: RunConfig, record_files: Sequence[str]) -> np.ndarray:
    """Masks [N, H, W] in the order of the images' names."""
    images_NHWC = read_images(record_files, config.transform.height, config.transform.width)
    logits_NHWK = network.predict(images_NHWC, batch_size=config.trainer.batch_size, verbose=0)
    return predicted_mask_BHW(logits_NHWK).numpy().astype(np.uint8)


def _epoch_seconds(config: RunConfig, history: TrainingHistory) -> Sequence[float]:
    steps = math.ceil(history.train_pictures / config.trainer.pictures_per_step)
    return [steps * epoch.milliseconds_per_step / 1000 for epoch in history.epochs]


def _by_phase(config: RunConfig, values: Sequence[float]) -> Sequence[Sequence[float]]:
    return [values[phase.begin : phase.end] for phase in phases(config.trainer)]
