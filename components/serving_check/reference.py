"""What the training graph says of a picture, from the export as TensorFlow itself loads it in this process."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from common import records
from common.signatures import CONFUSION, EVALUATE, PROBABILITIES
from components import component_keys as keys
from components.evaluator.counts import confusion_counts
from components.serving_check.pictures import Picture
from components.trainer.config import TrainerConfig
from components.trainer.inference.full_size import at_own_size
from components.transform.config import TransformConfig
from components.transform.picture import decode_mask, placement


class Export(NamedTuple):
    """How the model was exported."""

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
    """The model, and how far a served mask agrees with it."""

    def __init__(self, model_dir: str, export: Export) -> None:
        self._model = tf.saved_model.load(model_dir)
        self._export = export

    def expect(self, picture: Picture) -> np.ndarray:
        """What `agreement` compares with: the mask [H, W], or, of a model that answers in tiles, counts [C, C].

        A mask is made of the signature `probabilities` as in training, by another way than `serving_default` takes.
        Tiles have no such signature; there `evaluate` counts, on the picture's own pixels, what it finds by the truth.
        """
        if self._export.in_tiles:
            counts = self._model.signatures[EVALUATE](examples=tf.constant([picture.record]))[CONFUSION]
            return np.rint(counts.numpy()).astype(np.int64).reshape([self._export.num_classes] * 2)
        transform, size_2 = self._export.transform, tf.constant([picture.height, picture.width])
        answer = self._model.signatures[PROBABILITIES](image=tf.constant([picture.encoded]))
        place = placement(size_2, transform.height, transform.width, transform.aspect)
        mask_HW: np.ndarray = at_own_size(answer[PROBABILITIES][0], place, size_2).class_HW.numpy()
        return mask_HW

    def agreement(self, picture: Picture, expected: np.ndarray, served_HW: np.ndarray) -> float:
        """The share of pixels that `served_HW` gives the class that `expect` does; 0 for a mask of another size."""
        if served_HW.shape != (picture.height, picture.width):
            return 0.0
        if not self._export.in_tiles:
            return float((served_HW == expected).mean())
        if served_HW.max() >= self._export.num_classes:
            return 0.0
        truth_HW = decode_mask(tf.constant(_mask(picture))).numpy()
        served_CC = confusion_counts(truth_HW, served_HW, self._export.num_classes)
        different = np.abs(served_CC - expected).sum() / 2  # A pixel that moves is missing here and too much there.
        return 1 - float(different / max(expected.sum(), 1))


def _mask(picture: Picture) -> bytes:
    value: bytes = (
        tf.train.Example.FromString(picture.record).features.feature[records.MASK_ENCODED].bytes_list.value[0]
    )
    return value
