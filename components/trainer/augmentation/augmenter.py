"""Augmentation of a batch, with the same geometry for images and masks."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from components.trainer.augmentation.colour import change_colours, changes_colours
from components.trainer.augmentation.config import Augmentation
from components.trainer.augmentation.cutout import cut_out
from components.trainer.augmentation.geometry import interpolates, warp
from components.trainer.augmentation.stateless_random import StatelessRandom
from components.trainer.augmentation.symmetry import move_pixels

Batch = tuple[tf.Tensor, tf.Tensor]


def augmenter(config: Augmentation) -> Callable[[tf.Tensor, tf.Tensor, tf.Tensor], Batch]:
    """Returns a function of images [B, H, W, 3], masks [B, H, W] and a seed [2] that augments each pair.

    Images and masks are uint8 before, in between and after.
    """

    def augment(image_BHWC: tf.Tensor, mask_BHW: tf.Tensor, seed_2: tf.Tensor) -> Batch:
        rng = StatelessRandom(seed_2, tf.shape(image_BHWC)[0])
        if changes_colours(config):
            image_BHWC = change_colours(image_BHWC, config, rng)
        move = warp if interpolates(config) else move_pixels
        image_BHWC, mask_BHW = move(image_BHWC, mask_BHW, config, rng)
        if config.cutout:
            image_BHWC, mask_BHW = cut_out(image_BHWC, mask_BHW, config.cutout, rng)
        return image_BHWC, mask_BHW

    return augment
