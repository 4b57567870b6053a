"""The loss that a model is compiled with: a sum of terms on logits, blind to void pixels.

Truth is `mask_BHW` uint8 with classes 0…C−1 and void; predictions are `logits_BHWK`, K = 1 under a sigmoid or K = C
under a softmax.  What holds for every term:

- a void pixel has no loss and no gradient, and a batch that is void everywhere has loss 0;
- cross-entropy and focal loss are means over pixels, weighted by class;
- Dice, Jaccard, Tversky and Lovász-softmax are means over the classes that the truth of the batch holds, each with the
  same say; the Lovász hinge is about class 1, and where the truth has none of it, about the falsest pixel;
- all is computed in float32, whatever the model computes in;
- on several devices each computes the loss of its share of the batch, and gradients are averaged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import tensorflow as tf
import tf_keras as keras

from components.trainer.losses.config import (
    CrossEntropyTerm,
    DiceTerm,
    FocalTerm,
    JaccardTerm,
    LossTerm,
    LovaszTerm,
    TverskyTerm,
)
from components.trainer.losses.cross_entropy import cross_entropy
from components.trainer.losses.dice import dice
from components.trainer.losses.focal import focal
from components.trainer.losses.jaccard import jaccard
from components.trainer.losses.lovasz import lovasz
from components.trainer.losses.tversky import tversky

Loss = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
"""Of mask and logits, a scalar."""


def build_loss(terms: Sequence[LossTerm], class_weight_C: Sequence[float] | np.ndarray) -> keras.losses.Loss:
    """The sum of `terms`, each times its factor; `class_weight_C` weighs the terms that count pixels."""
    return _Sum(terms, np.asarray(class_weight_C, np.float32))


class _Sum(keras.losses.Loss):
    def __init__(self, terms: Sequence[LossTerm], class_weight_C: np.ndarray) -> None:
        super().__init__(name="loss")
        self._losses = [(term.factor, _loss(term, class_weight_C)) for term in terms]

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """The loss of a batch: a scalar."""
        mask_BHW, logits_BHWK = tf.convert_to_tensor(y_true), tf.cast(y_pred, tf.float32)
        return tf.add_n([factor * loss(mask_BHW, logits_BHWK) for factor, loss in self._losses])


def _loss(term: LossTerm, class_weight_C: np.ndarray) -> Loss:
    match term:
        case CrossEntropyTerm():
            return partial(cross_entropy, class_weight_C=class_weight_C, label_smoothing=term.label_smoothing)
        case FocalTerm():
            return partial(focal, class_weight_C=class_weight_C, gamma=term.gamma)
        case TverskyTerm():
            return partial(tversky, alpha=term.alpha, beta=term.beta)
        case DiceTerm():
            return dice
        case JaccardTerm():
            return jaccard
        case LovaszTerm():
            return lovasz
