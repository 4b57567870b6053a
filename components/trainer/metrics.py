"""IoU and Dice while training, from one confusion matrix."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tf_keras as keras

from common.confusion import confusion_counts_BCC
from components.trainer.predictions import predicted_mask_BHW


class SegmentationMetrics(keras.metrics.Metric):
    """`mean_iou`, `mean_dice` and `pixel_accuracy` over all pixels seen, void ones left out.

    IoU of a class is TP / (TP + FP + FN), Dice 2·TP / (2·TP + FP + FN); means are over the classes that occur in truth
    or prediction.  It is one metric with three results, because counting is the expensive part.
    """

    def __init__(self, num_classes: int, name: str = "segmentation", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self._num_classes = num_classes
        self._counts_CC = self.add_weight("counts", [num_classes, num_classes], initializer="zeros", dtype=tf.float64)

    def update_state(self, y_true: tf.Tensor, y_pred: tf.Tensor, sample_weight: tf.Tensor | None = None) -> None:
        """Adds the counts of a batch: masks [B, H, W] and logits [B, H, W, K]."""
        del sample_weight  # A pixel counts once, independent of its weight in the loss.
        counts_BCC = confusion_counts_BCC(y_true, predicted_mask_BHW(y_pred), self._num_classes)
        self._counts_CC.assign_add(tf.cast(tf.reduce_sum(counts_BCC, axis=0), tf.float64))

    def result(self) -> dict[str, tf.Tensor]:
        """Returns the three results, 0 before the first batch."""
        hit_C = tf.linalg.diag_part(self._counts_CC)
        truth_C, predicted_C = tf.reduce_sum(self._counts_CC, axis=1), tf.reduce_sum(self._counts_CC, axis=0)
        union_C = truth_C + predicted_C - hit_C
        occurring = tf.reduce_sum(tf.cast(union_C > 0, tf.float64))
        return {
            "mean_iou": tf.math.divide_no_nan(tf.reduce_sum(tf.math.divide_no_nan(hit_C, union_C)), occurring),
            "mean_dice": tf.math.divide_no_nan(
                tf.reduce_sum(tf.math.divide_no_nan(2 * hit_C, truth_C + predicted_C)), occurring
            ),
            "pixel_accuracy": tf.math.divide_no_nan(tf.reduce_sum(hit_C), tf.reduce_sum(self._counts_CC)),
        }

    def reset_state(self) -> None:
        """Resets the counts."""
        self._counts_CC.assign(tf.zeros_like(self._counts_CC))

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that re-create the metric."""
        return {**super().get_config(), "num_classes": self._num_classes}
