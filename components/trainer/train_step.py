"""One training step: forward and backward pass, accumulation, EMA."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import tensorflow as tf
import tf_keras as keras

from common.records import VOID
from components.trainer.averaging import WeightAverage
from components.trainer.divergence import NonFiniteSteps

Batch = tuple[tf.Tensor, tf.Tensor]
Gradients = list[tf.Tensor | None]


class TrainStep(keras.Model):
    """Trainable model around a network, with gradient accumulation."""

    def __init__(
        self, network: keras.Model, accumulate: int = 1, xla: bool = False, average: WeightAverage | None = None
    ) -> None:
        """Must be created in the scope of the strategy.

        Args:
            network: The network to train; it is not modified, but shares its layers.
            accumulate: Number of parts in which a batch is processed, one after the other.
            xla: Whether forward and backward pass are compiled; the metric's counting cannot be.
            average: EMA that is updated after each step, and saved with the model.
        """
        super().__init__(network.inputs, network.outputs)
        self._accumulate = accumulate
        self._xla = xla
        self._average = average
        self._nonfinite_steps = NonFiniteSteps()

    def train_step(self, data: Batch) -> dict[str, tf.Tensor]:
        """Runs one optimiser step on images [B, H, W, 3] and masks [B, H, W].

        The gradient is the mean of the parts' gradients, weighted by their number of images.
        """
        pass_through = tf.function(self._gradients, jit_compile=True) if self._xla else self._gradients
        total: Gradients = []
        losses: list[tf.Tensor] = []
        logs: dict[str, tf.Tensor] = {}
        for (image_BHWC, mask_BHW), share in _parts(data, self._accumulate):
            # Sequentially; otherwise the activations of all parts would be held at once.
            with tf.control_dependencies([gradient for gradient in total if gradient is not None]):
                gradients, loss, logits_BHWK = pass_through(tf.identity(image_BHWC), mask_BHW)
            losses.append(loss)
            total = _weighted_sum(total, gradients, share)
            if len(losses) == self._accumulate:
                self._nonfinite_steps.update_state(tf.add_n(losses), self.trainable_variables)
            logs = self.compute_metrics(image_BHWC, mask_BHW, logits_BHWK, None)
        # At the end of the data only ops that depend on it are skipped: without this dependency, weights would decay
        # and steps be counted once more.
        with tf.control_dependencies([gradient for gradient in total if gradient is not None]):
            self.optimizer.apply_gradients(zip(total, self.trainable_variables, strict=True))
            if self._average is not None:
                self._average.update(self.optimizer.iterations)
        return logs

    def _gradients(self, image_BHWC: tf.Tensor, mask_BHW: tf.Tensor) -> tuple[Gradients, tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            logits_BHWK = self(image_BHWC, training=True)
            loss = self.compute_loss(image_BHWC, mask_BHW, logits_BHWK)
        pairs = self.optimizer.compute_gradients(loss, self.trainable_variables, tape)
        return [gradient for gradient, _ in pairs], loss, logits_BHWK


def _parts(batch: Batch, count: int) -> Iterator[tuple[Batch, tf.Tensor | None]]:
    """Returns the parts, which differ by at most one image, with their shares of the batch; `None` for the whole.

    If there are fewer images than parts, an image is repeated with an all-void mask: batch
    normalisation needs at least one image.
    """
    if count == 1:
        yield batch, None
        return
    image_BHWC, mask_BHW = batch
    size = tf.shape(mask_BHW)[0]
    for index in range(count):
        begin, end = size * index // count, size * (index + 1) // count
        there = slice(begin, tf.maximum(end, begin + 1))
        mask = tf.where(end > begin, mask_BHW[there], tf.constant(VOID, mask_BHW.dtype))
        share = tf.math.divide_no_nan(tf.cast(end - begin, tf.float32), tf.cast(size, tf.float32))
        yield (image_BHWC[there], mask), share


def _weighted_sum(total: Gradients, gradients: Sequence[tf.Tensor | None], share: tf.Tensor | None) -> Gradients:
    if share is None:
        return list(gradients)
    weighed = [None if gradient is None else share * gradient for gradient in gradients]
    if not total:
        return weighed
    return [None if one is None or more is None else one + more for one, more in zip(total, weighed, strict=True)]
