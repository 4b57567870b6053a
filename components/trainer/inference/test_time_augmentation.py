"""Test-time augmentation: averages the network's predictions for an image and its flips."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

Network = Callable[[tf.Tensor], tf.Tensor]
"""A function from images [B, H, W, bands] to probabilities [B, H, W, C]."""

_HEIGHT, _WIDTH = 1, 2
_VIEWS: dict[str, tuple[tuple[int, ...], ...]] = {
    "none": ((),),
    "horizontal": ((), (_WIDTH,)),
    "both": ((), (_WIDTH,), (_HEIGHT,), (_HEIGHT, _WIDTH)),
}


def with_test_time_augmentation(network: Network, flips: str) -> Network:
    """Returns a network that averages over flips, each flipped back; `flips` is the configuration's."""
    views = _VIEWS[flips]

    def averaged(image_BHWC: tf.Tensor) -> tf.Tensor:
        total_BHWC = network(image_BHWC)
        for axes in views[1:]:
            # One view after the other: together they would need the memory of a larger batch.
            with tf.control_dependencies([total_BHWC]):
                mirrored_BHWC = tf.reverse(image_BHWC, axes)
            total_BHWC += tf.reverse(network(mirrored_BHWC), axes)
        return total_BHWC / len(views)

    return network if len(views) == 1 else averaged
