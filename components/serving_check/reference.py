"""Reference predictions of the training graph, from the export loaded by TensorFlow in this process."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from common import records
from common.signatures import CONFUSION, EVALUATE, PROBABILITIES
from components import component_keys as keys
from components.evaluator.counts import confusion_counts
from components.serving_check.sample_images import SampleImage
from components.trainer.config import TrainerConfig
from components.trainer.inference.postprocess import at_own_size
from components.transform.config import TransformConfig
from components.transform.image_ops import decode_mask, placement


class Export(NamedTuple):
    """Export settings of the model."""

    transform: TransformConfig
    num_classes: int
    max_pixels: int
    in_tiles: bool


def read_export(trainer_settings: str) -> Export:
    """From the Trainer's `custom_config`, as JSON."""
    settings: dict[str, Any] = json.loads(trainer_settings)
    trainer = TrainerConfig.model_validate_json(settings[keys.TRAINER])
    return Export(
        transform=TransformConfig.model_validate_json(settings[keys.TRANSFORM]),
        num_classes=len(settings[keys.CLASSES]),
        max_pixels=trainer.max_pixels,
        in_tiles=trainer.inference.mode == "tile",
    )


class Reference:
    """The model as a reference, and the agreement of a served mask with it."""

    def __init__(self, model_dir: str, export: Export) -> None:
        self._model = tf.saved_model.load(model_dir)
        self._export = export

    def expect(self, image: SampleImage) -> np.ndarray:
        """Returns what `agreement` compares with: the mask [H, W], or counts [C, C] for a model that predicts in tiles.

        A mask is computed from the signature `probabilities` as in training, independently of `serving_default`.
        Tiles have no such signature; there `evaluate` counts the image's own pixels by truth and prediction.
        """
        if self._export.in_tiles:
            counts = self._model.signatures[EVALUATE](examples=tf.constant([image.record]))[CONFUSION]
            return np.rint(counts.numpy()).astype(np.int64).reshape([self._export.num_classes] * 2)
        transform, size_2 = self._export.transform, tf.constant([image.height, image.width])
        answer = self._model.signatures[PROBABILITIES](image=tf.constant([image.encoded]))
        place = placement(size_2, transform.height, transform.width, transform.aspect)
        mask_HW: np.ndarray = at_own_size(answer[PROBABILITIES][0], place, size_2).class_HW.numpy()
        return mask_HW

    def agreement(self, image: SampleImage, expected: np.ndarray, served_HW: np.ndarray) -> float:
        """Returns the share of pixels of `served_HW` with the expected class; 0 for a mask of a different size."""
        if served_HW.shape != (image.height, image.width):
            return 0.0
        if not self._export.in_tiles:
            return float((served_HW == expected).mean())
        if served_HW.max() >= self._export.num_classes:
            return 0.0
        truth_HW = decode_mask(tf.constant(_mask(image))).numpy()
        served_CC = confusion_counts(truth_HW, served_HW, self._export.num_classes)
        different = (
            np.abs(served_CC - expected).sum() / 2
        )  # A pixel that differs is missing in one count and extra in another.
        return 1 - float(different / max(expected.sum(), 1))


def _mask(image: SampleImage) -> bytes:
    value: bytes = tf.train.Example.FromString(image.record).features.feature[records.MASK_ENCODED].bytes_list.value[0]
    return value
