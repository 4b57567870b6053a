"""Rows of the contact sheet for a model that is trained on windows: an image, and random windows of it."""

from __future__ import annotations

from collections.abc import Iterator

import tensorflow as tf

from components.trainer.augmentation.augmenter import finisher
from components.trainer.windows.cutting import Cut, cut_window
from components.trainer.windows.strips import strips_of
from components.transform.image_ops import (
    class_pixels,
    decode_image,
    decode_mask,
    resize_image,
    resize_mask,
    resize_nearest,
    resize_pixels,
    scaled_size,
)
from components.transform.picture_statistics import denormalised, picture_statistics
from pipeline.cli.contact_sheet import MaskedImage, Row
from pipeline.config.run_config import RunConfig


def rows_of_windows(
    config: RunConfig, image_B: tf.Tensor, mask_B: tf.Tensor, name_B: tf.Tensor, variants: int
) -> list[Row]:
    """Returns a row for each encoded image: the whole image at the window's size, then `variants` windows.

    The most frequent class, on which no window is centred, is that of the given images.
    """
    num_classes = len(config.data.classes)
    masks = [decode_mask(mask) for mask in mask_B]
    common = int(tf.argmax(tf.add_n([class_pixels(mask, num_classes) for mask in masks])))
    transform, trainer = config.transform, config.trainer
    cut = Cut(
        (transform.height, transform.width),
        trainer.augmentation,
        trainer.windows,
        tuple(place != common for place in range(num_classes)),
    )
    rows = []
    for encoded, mask_HW, name in zip(image_B, masks, name_B.numpy(), strict=True):
        image_HWC = decode_image(encoded)
        size = (transform.height, transform.width, "letterbox")
        whole = MaskedImage(resize_image(image_HWC, *size).numpy(), resize_mask(mask_HW, *size).numpy())
        rows.append(Row(name.decode(), [whole, *_windows(config, image_HWC, mask_HW, cut, variants)]))
    return rows


def _windows(
    config: RunConfig, image_HWC: tf.Tensor, mask_HW: tf.Tensor, cut: Cut, variants: int
) -> Iterator[MaskedImage]:
    """Yields windows as the network sees them, converted back to pixels where they are normalised."""
    mean_13, std_13 = (value[tf.newaxis] for value in picture_statistics(image_HWC))
    if config.transform.scale != 1:
        size_2 = scaled_size(tf.shape(mask_HW), config.transform.scale)
        image_HWC, mask_HW = resize_pixels(image_HWC, size_2), resize_nearest(mask_HW, size_2)
    strips = strips_of(image_HWC, mask_HW, len(cut.rare_C))
    finish = finisher(config.trainer.augmentation, config.transform.by_picture)
    for number in range(variants):
        seed_2 = tf.constant([config.seed, number], tf.int64)
        window_HWC, window_mask_HW = cut_window(strips, cut, seed_2)
        window_1HWC, mask_1HW = finish(window_HWC[tf.newaxis], window_mask_HW[tf.newaxis], mean_13, std_13, seed_2)
        if config.transform.by_picture:
            window_1HWC = denormalised(window_1HWC, mean_13, std_13)
        yield MaskedImage(window_1HWC[0].numpy(), mask_1HW[0].numpy())
