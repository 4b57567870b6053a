"""A network while it learns: one step of training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import tensorflow as tf
import tf_keras as keras

from common.records import VOID
from components.trainer.averaging import WeightAverage
from components.trainer.divergence import NONFINITE_STEPS, NonFiniteSteps

Batch = tuple[tf.Tensor, tf.Tensor]
Gradients = list[tf.Tensor | None]


class Learner(keras.Model):
    """The layers of a network, trained in steps that may pass a batch in parts."""

    def __init__(
        self, network: keras.Model, accumulate: int = 1, xla: bool = False, average: WeightAverage | None = None
    ) -> None:
        """Must be made in the scope of the strategy.

        Args:
            network: What is trained; it is not changed itself, but shares its layers.
            accumulate: In how many parts a batch passes, one after the other.
            xla: Whether the passes forward and backward are compiled; counting the metric's pixels cannot be.
            average: Is kept up to date after each step, and backed up with the model.
        """
        super().__init__(network.inputs, network.outputs)
        self._accumulate = accumulate
        self._xla = xla
        self._average = average
        self._nonfinite_steps = NonFiniteSteps()

    def train_step(self, data: Batch) -> dict[str, tf.Tensor]:
        """One step of the optimiser on images [B, H, W, 3] and masks [B, H, W].

        The gradient is the mean of the parts' gradients, each weighing as many pictures as it has.
        """
        pass_through = tf.function(self._gradients, jit_compile=True) if self._xla else self._gradients
        total: Gradients = []
        losses: list[tf.Tensor] = []
        logs: dict[str, tf.Tensor] = {}
        for (image_BHWC, mask_BHW), share in _parts(data, self._accumulate):
            # One part after the other, or all their activations would be held at once.
            with tf.control_dependencies([gradient for gradient in total if gradient is not None]):
                gradients, loss, logits_BHWK = pass_through(tf.identity(image_BHWC), mask_BHW)
            losses.append(loss)
            total = _weighted_sum(total, gradients, share)
            if len(losses) == self._accumulate:
                self._nonfinite_steps.update_state(tf.add_n(losses))
            logs = self.compute_metrics(image_BHWC, mask_BHW, logits_BHWK, None)
        # When the data has come to its end, only what depends on it is left undone: without this, weights would decay,
        # and steps be counted, once more.
        with tf.control_dependencies([gradient for gradient in total if gradient is not None]):
            self.optimizer.apply_gradients(zip(total, self.trainable_variables, strict=True))
            if self._average is not None:
                self._average.update(self.optimizer.iterations)
        return logs

    def test_step(self, data: Batch) -> dict[str, tf.Tensor]:
        """Evaluates a batch; what is counted in training alone is left out."""
        return {name: value for name, value in super().test_step(data).items() if name != NONFINITE_STEPS}

    def _gradients(self, image_BHWC: tf.Tensor, mask_BHW: tf.Tensor) -> tuple[Gradients, tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            logits_BHWK = self(image_BHWC, training=True)
            loss = self.compute_loss(image_BHWC, mask_BHW, logits_BHWK)
        pairs = self.optimizer.compute_gradients(loss, self.trainable_variables, tape)
        return [gradient for gradient, _ in pairs], loss, logits_BHWK


def _parts(batch: Batch, count: int) -> Iterator[tuple[Batch, tf.Tensor | None]]:
    """The parts, which differ by a picture at most, and the share of the batch that each is; `None` for all of it.

    Where there are fewer pictures than parts, one that has passed already passes once more, all void: batch
    normalisation cannot do without a picture.
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
