"""Test-time augmentation: what the network says of an image and of its mirror images, averaged."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

Network = Callable[[tf.Tensor], tf.Tensor]
"""From images [B, H, W, 3] to probabilities [B, H, W, C]."""

_HEIGHT, _WIDTH = 1, 2
_VIEWS: dict[str, tuple[tuple[int, ...], ...]] = {
    "none": ((),),
    "horizontal": ((), (_WIDTH,)),
    "both": ((), (_WIDTH,), (_HEIGHT,), (_HEIGHT, _WIDTH)),
}


def averaged_over_flips(network: Network, flips: str) -> Network:
    """The network whose answer is the mean over the mirror images, each turned back; `flips` is the configuration's."""
    views = _VIEWS[flips]

    def averaged(image_BHWC: tf.Tensor) -> tf.Tensor:
        total_BHWC = network(image_BHWC)
        for axes in views[1:]:
            # One view after the other: side by side they would take the memory of a larger batch.
            with tf.control_dependencies([total_BHWC]):
                mirrored_BHWC = tf.reverse(image_BHWC, axes)
            total_BHWC += tf.reverse(network(mirrored_BHWC), axes)
        return total_BHWC / len(views)

    return network if len(views) == 1 else averaged
