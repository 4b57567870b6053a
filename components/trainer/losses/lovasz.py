"""The Lovász losses of Berman et al., "The Lovász-Softmax loss" (2018), over the pixels of a batch together."""

from __future__ import annotations

from typing import Literal

from components.trainer.lazy_tensorflow import tf
from components.trainer.losses.pixels import mean_over_present, num_classes, one_hot_BHWC
from components.trainer.losses.term import Term
from components.trainer.predictions import probabilities_BHWC

_LAST = -1.0  # The error of a void pixel: it sorts behind all pixels that count, and being negative adds nothing.


class LovaszTerm(Term):
    """The Lovász extension of 1 − IoU (Berman et al. 2018): its hinge on one logit, Lovász-softmax on several."""

    type: Literal["lovasz"] = "lovasz"

    def loss(self, mask_BHW: tf.Tensor, logits_BHWK: tf.Tensor, class_weight_C: tf.Tensor) -> tf.Tensor:
        """Returns `lovasz`, which takes no class weights."""
        return lovasz(mask_BHW, logits_BHWK)


def lovasz(mask_BHW: tf.Tensor, logits_BHWK: tf.Tensor) -> tf.Tensor:
    """The Lovász hinge of class 1 on one logit, Lovász-softmax on several."""
    if logits_BHWK.shape[-1] == 1:
        return lovasz_hinge(mask_BHW, logits_BHWK[..., 0])
    return lovasz_softmax(mask_BHW, logits_BHWK)


def lovasz_softmax(mask_BHW: tf.Tensor, logits_BHWC: tf.Tensor) -> tf.Tensor:
    """Mean over the classes present; the error of a pixel for a class is |truth − probability|."""
    truth_BHWC = one_hot_BHWC(mask_BHW, num_classes(logits_BHWC))
    void_BHW1 = tf.reduce_sum(truth_BHWC, axis=-1, keepdims=True) == 0
    error_BHWC = tf.where(void_BHW1, _LAST, tf.abs(truth_BHWC - probabilities_BHWC(logits_BHWC)))
    truth_CN = _by_class(truth_BHWC)
    return mean_over_present(_extension_C(_by_class(error_BHWC), truth_CN), tf.reduce_any(truth_CN > 0, axis=1))


def lovasz_hinge(mask_BHW: tf.Tensor, logit_BHW: tf.Tensor) -> tf.Tensor:
    """For class 1 of two; the error of a pixel is its hinge, 1 − z at class 1 and 1 + z at class 0."""
    truth_BHWC = one_hot_BHWC(mask_BHW, 2)
    sign_BHW = truth_BHWC[..., 1] - truth_BHWC[..., 0]  # 0 where void
    error_BHW = tf.where(sign_BHW == 0, _LAST, 1 - logit_BHW * sign_BHW)
    return _extension_C(tf.reshape(error_BHW, [1, -1]), tf.reshape(truth_BHWC[..., 1], [1, -1]))[0]


def _by_class(value_BHWC: tf.Tensor) -> tf.Tensor:
    return tf.transpose(tf.reshape(value_BHWC, [-1, value_BHWC.shape[-1]]))


def _extension_C(error_CN: tf.Tensor, truth_CN: tf.Tensor) -> tf.Tensor:
    """Σ relu(error)·(rise of 1 − IoU) over the pixels in falling order of their errors: algorithm 1 of the paper.

    With the pixels before it wrong, IoU is left / union, where `left` are the pixels of the class that are still right
    and `union` are those of the class and the false ones so far.  One more takes 1/union away if it is of the class,
    and left / (union·(union − 1)) if not; the paper's differences of the ratios would cancel in float32.
    """
    # One void pixel more: the gradient of `top_k` fails where there is none at all, as on a device without a share.
    error_CN = tf.pad(error_CN, [[0, 0], [0, 1]], constant_values=_LAST)
    truth_CN = tf.pad(truth_CN, [[0, 0], [0, 1]])
    sorted_CN, order_CN = tf.math.top_k(error_CN, k=tf.shape(error_CN)[1])
    sorted_truth_CN = tf.gather(truth_CN, order_CN, batch_dims=1)
    class_C1 = tf.reduce_sum(truth_CN, axis=1, keepdims=True)
    left_CN = class_C1 - tf.cumsum(sorted_truth_CN, axis=1)
    union_CN = class_C1 + tf.cumsum(1 - sorted_truth_CN, axis=1)
    rise_CN = tf.where(
        sorted_truth_CN > 0,
        tf.math.divide_no_nan(1.0, union_CN),
        tf.math.divide_no_nan(left_CN, union_CN * (union_CN - 1)),
    )
    first_N = tf.one_hot(0, tf.shape(error_CN)[1])
    rise_CN = tf.where(class_C1 == 0, first_N, rise_CN)  # With no pixel of the class the first false one takes all.
    return tf.reduce_sum(tf.nn.relu(sorted_CN) * tf.stop_gradient(rise_CN), axis=1)
