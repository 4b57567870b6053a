"""Writes hyperparameters, predictions and curves for TensorBoard."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras
from tensorboard.plugins.hparams import api as hparams
from tensorboard.plugins.pr_curve import summary as pr_curve

from common.palette import Pixels
from components.trainer.config import TrainerConfig
from components.trainer.predictions import predicted_mask_BHW
from components.trainer.tensorboard.counting import count_probabilities
from components.trainer.tensorboard.curves import THRESHOLDS, Curve, curve
from components.trainer.tensorboard.grid import draw_grid
from components.trainer.tensorboard.hyperparameters import hyperparameters

EXAMPLES = "eval_examples"
PRECISION_RECALL = "precision_recall"
ROC = "roc"
"""Tags, the last two followed by `/` and the class."""

_LOOKED_AT = 64
"""Most images of the eval split from which those to draw are chosen."""
_ROC_STEPS = 1000


class PredictionGrid(keras.callbacks.Callback):
    """Callback that draws the same images of the eval split each few epochs: image, truth, prediction, error.

    In the list of callbacks it comes after the one that stops the training, and before the one that takes the averaged
    weights out again.
    """

    def __init__(self, network: keras.Model, evaluation: tf.data.Dataset, config: TrainerConfig, events: str) -> None:
        """Draws after the first epoch, each `config.tensorboard.every` ones, and the last one."""
        super().__init__()
        self._supports_tf_logs = True  # Otherwise Keras would wait for the device after each step.
        self._network, self._every = network, config.tensorboard.every
        self._writer = tf.summary.create_file_writer(os.path.join(events, "validation"))
        self._images_NHWC, self._truth_NHW = choose_images(evaluation, config.tensorboard.images)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Draws the images, if it is their turn."""
        number = epoch + 1
        if number > 1 and number % self._every and not self.model.stop_training:
            return
        grid_HWC = draw_grid(self._images_NHWC, self._truth_NHW, self._predict())
        with self._writer.as_default():
            tf.summary.image(EXAMPLES, grid_HWC[np.newaxis], step=epoch)
        self._writer.flush()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Closes the file."""
        self._writer.close()

    def _predict(self) -> Pixels:
        # Image by image: an activation of one needs little memory beside the training's own.
        masks = [predicted_mask_BHW(self._network(image[np.newaxis], training=False)) for image in self._images_NHWC]
        return np.concatenate(masks).astype(np.uint8)


def choose_images(evaluation: tf.data.Dataset, number: int) -> tuple[np.ndarray, Pixels]:
    """Returns images [N, H, W, C] and masks [N, H, W]: those with the most classes among the first, in their order."""
    images, masks = zip(*evaluation.unbatch().take(_LOOKED_AT).as_numpy_iterator(), strict=True)
    by_classes = sorted(range(len(masks)), key=lambda index: -len(np.unique(masks[index])))
    chosen = sorted(by_classes[:number])
    return np.stack([images[index] for index in chosen]), np.stack([masks[index] for index in chosen])


def write_hyperparameters(config: TrainerConfig, events: str) -> None:
    """Writes the configuration for the HParams tab, into the folder of the training's own scalars."""
    values = hyperparameters(config)
    with tf.summary.create_file_writer(os.path.join(events, "train")).as_default():
        hparams.hparams(values, trial_id=os.path.basename(os.path.dirname(events)) or "training")


def write_curves(
    network: keras.Model, evaluation: tf.data.Dataset, class_names: Sequence[str], events: str, step: int
) -> None:
    """Writes the precision-recall and the ROC curve of each class that occurs on the eval split.

    TensorBoard has no ROC curves: here it is a scalar, the recall, over 1000 times the false-positive rate as the step.
    """
    counts = count_probabilities(network, evaluation, len(class_names))
    with tf.summary.create_file_writer(os.path.join(events, "validation")).as_default():
        for name, (negative_T, positive_T) in zip(class_names, counts, strict=True):
            if positive_T.any():
                _write_curve(name, curve(positive_T, negative_T), step)


def _write_curve(name: str, of_class: Curve, step: int) -> None:
    counts = (
        of_class.true_positive_T,
        of_class.false_positive_T,
        of_class.true_negative_T,
        of_class.false_negative_T,
    )
    summary = pr_curve.raw_data_pb(
        f"{PRECISION_RECALL}/{name}", *counts, of_class.precision_T, of_class.recall_T, THRESHOLDS
    )
    tf.summary.experimental.write_raw_pb(summary.SerializeToString(), step=step)
    rates_T = np.rint(of_class.false_positive_rate_T * _ROC_STEPS).astype(int)
    for rate in np.unique(rates_T):
        best_recall = of_class.recall_T[rates_T == rate].max()
        tf.summary.scalar(f"{ROC}/{name}", best_recall, step=int(rate), description=_auc(of_class))


def _auc(of_class: Curve) -> str:
    return f"recall over 1000 × false-positive rate; area {of_class.area_under_roc:.4f}"
