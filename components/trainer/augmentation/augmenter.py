"""Augmentation of a batch, with the same geometry for images and masks."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from components.trainer.augmentation.colour import change_colours, changes_colours
from components.trainer.augmentation.config import Augmentation
from components.trainer.augmentation.cutout import cut_out
from components.trainer.augmentation.deviations import before_normalisation, change_deviations
from components.trainer.augmentation.geometry import interpolates, warp
from components.trainer.augmentation.stateless_random import StatelessRandom
from components.trainer.augmentation.symmetry import move_pixels
from components.transform.picture_statistics import batch_statistics, normalised

Batch = tuple[tf.Tensor, tf.Tensor]


def augmenter(config: Augmentation, by_picture: bool = False) -> Callable[[tf.Tensor, tf.Tensor, tf.Tensor], Batch]:
    """Returns a function of images [B, H, W, 3], masks [B, H, W] and a seed [2] that augments each pair.

    Images are uint8, or float32 in 0…255 if they have bands, before, in between and after; masks are uint8.  With
    `by_picture` images are normalised by their own statistics at the end, float32.
    """
    if by_picture:
        return _normalising(config)

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


def _normalising(config: Augmentation) -> Callable[[tf.Tensor, tf.Tensor, tf.Tensor], Batch]:
    augment_pixels = augmenter(before_normalisation(config))

    def augment(image_BHWC: tf.Tensor, mask_BHW: tf.Tensor, seed_2: tf.Tensor) -> Batch:
        statistics = batch_statistics(image_BHWC)  # Of the whole image, not of the window that augmentation leaves.
        image_BHWC, mask_BHW = augment_pixels(image_BHWC, mask_BHW, seed_2)
        rng = StatelessRandom(seed_2, tf.shape(image_BHWC)[0])
        return change_deviations(normalised(image_BHWC, *statistics), config, rng), mask_BHW

    return augment


def finisher(
    config: Augmentation, by_picture: bool
) -> Callable[[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor], Batch]:
    """Returns a function that augments windows whose geometry is already changed: colours, cutout, normalisation.

    Its arguments are images, masks, the mean and the standard deviation [B, 3] of the images that the windows are cut
    from, and a seed [2].
    """
    pixels = before_normalisation(config) if by_picture else config

    def finish(
        image_BHWC: tf.Tensor, mask_BHW: tf.Tensor, mean_B3: tf.Tensor, std_B3: tf.Tensor, seed_2: tf.Tensor
    ) -> Batch:
        rng = StatelessRandom(seed_2, tf.shape(image_BHWC)[0])
        if changes_colours(pixels):
            image_BHWC = change_colours(image_BHWC, pixels, rng)
        if config.cutout:
            image_BHWC, mask_BHW = cut_out(image_BHWC, mask_BHW, config.cutout, rng)
        if by_picture:
            image_BHWC = change_deviations(normalised(image_BHWC, mean_B3, std_B3), config, rng)
        return image_BHWC, mask_BHW

    return finish
