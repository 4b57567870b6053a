"""Builds the loss that a model is compiled with: a sum of terms on logits that ignores void pixels.

Truth is `mask_BHW` uint8 with classes 0…C−1 and void; predictions are `logits_BHWK`, K = 1 under a sigmoid or K = C
under a softmax.  Every term keeps this contract:

- a void pixel has no loss and no gradient, and a batch that is void everywhere has loss 0;
- cross-entropy and focal loss are means over pixels, weighted by class;
- Dice, Jaccard, Tversky and Lovász-softmax are means over the classes that the truth of the batch holds, each with the
  same say; the Lovász hinge is about class 1 or, where the truth has none, about the pixel with the largest error;
- all is computed in float32, whatever the model computes in;
- on several devices each computes the loss of its share of the batch, and gradients are averaged.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
import tf_keras as keras

from components.trainer.losses.term import Term


def build_loss(terms: Sequence[Term], class_weight_C: Sequence[float] | np.ndarray) -> keras.losses.Loss:
    """Returns the sum of `terms`, each times its factor; `class_weight_C` weights the terms that count pixels."""
    return _Sum(terms, np.asarray(class_weight_C, np.float32))


class _Sum(keras.losses.Loss):
    def __init__(self, terms: Sequence[Term], class_weight_C: np.ndarray) -> None:
        super().__init__(name="loss")
        self._terms, self._class_weight_C = tuple(terms), class_weight_C

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Returns the loss of a batch: a scalar."""
        mask_BHW, logits_BHWK = tf.convert_to_tensor(y_true), tf.cast(y_pred, tf.float32)
        return tf.add_n([term.factor * term.loss(mask_BHW, logits_BHWK, self._class_weight_C) for term in self._terms])
