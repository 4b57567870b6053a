"""Compact records of images at their own size, from which the Trainer cuts windows (mode `crop`)."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf
import tensorflow_transform as tft

from common import records
from common.errors import UserError
from components.transform import features
from components.transform.config import TransformConfig
from components.transform.image_ops import (
    class_pixels,
    decode_image,
    decode_mask,
    resize_nearest,
    resize_pixels,
    scaled_size,
    to_bytes,
)
from components.transform.picture_statistics import picture_statistics


class Native(NamedTuple):
    """Images of a batch and their masks."""

    image: tf.Tensor
    """Raw bytes."""
    mask: tf.Tensor
    size_2: tf.Tensor
    """Height and width."""
    mean_3: tf.Tensor
    """Statistics of the whole image."""
    std_3: tf.Tensor
    class_pixels_C: tf.Tensor


def native_images(inputs: dict[str, tf.Tensor], config: TransformConfig, num_classes: int) -> Native:
    """Decodes image and mask of each record, one after the other, and scales them by `config.scale`."""

    def keep(of_one: tuple[tf.Tensor, tf.Tensor]) -> Native:
        encoded, encoded_mask = of_one
        image_HWC = decode_image(encoded)
        mean_3, std_3 = picture_statistics(image_HWC)
        size_2 = tf.shape(image_HWC)[:2]
        if config.scale != 1:
            size_2 = scaled_size(size_2, config.scale)
            image_HWC = resize_pixels(image_HWC, size_2)
        mask_HW = resize_nearest(decode_mask(encoded_mask), size_2)
        return Native(
            to_bytes(image_HWC),
            to_bytes(mask_HW),
            tf.cast(size_2, tf.int64),
            mean_3,
            std_3,
            class_pixels(mask_HW, num_classes),
        )

    string, three = tf.TensorSpec([], tf.string), tf.TensorSpec([3], tf.float32)
    return Native(
        *tf.map_fn(
            keep,
            (inputs[records.IMAGE_ENCODED], inputs[records.MASK_ENCODED]),
            fn_output_signature=Native(
                string, string, tf.TensorSpec([2], tf.int64), three, three, tf.TensorSpec([num_classes], tf.int64)
            ),
            parallel_iterations=1,
        )
    )


def channel_statistics(native: Native) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean and standard deviation [3] of each channel over all pixels of the training images."""
    pixels_B1 = tf.cast(tf.reduce_prod(native.size_2, axis=1, keepdims=True), tf.float64)
    mean_B3, std_B3 = tf.cast(native.mean_3, tf.float64), tf.cast(native.std_3, tf.float64)
    total = tf.maximum(tft.sum(pixels_B1, reduce_instance_dims=False), 1.0)
    mean_3 = tft.sum(pixels_B1 * mean_B3, reduce_instance_dims=False) / total
    square_3 = tft.sum(pixels_B1 * (tf.square(std_B3) + tf.square(mean_B3)), reduce_instance_dims=False) / total
    std_3 = tf.sqrt(tf.maximum(square_3 - tf.square(mean_3), 1.0))
    return tf.ensure_shape(tf.cast(mean_3, tf.float32), [3]), tf.ensure_shape(tf.cast(std_3, tf.float32), [3])


def native_features(native: Native, slice_B: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns the features that only records of this mode have, and image and mask."""
    return {
        features.IMAGE: native.image,
        features.MASK: native.mask,
        features.HEIGHT: native.size_2[:, 0],
        features.WIDTH: native.size_2[:, 1],
        features.PICTURE_MEAN: native.mean_3,
        features.PICTURE_STD: native.std_3,
        features.CLASS_PIXELS: native.class_pixels_C,
        features.SLICE: slice_B,
    }


def slice_values(inputs: dict[str, tf.Tensor], column: str | None) -> tf.Tensor:
    """Returns the records' values of a slicing column, string [B]; "" without a column or a value.

    Raises:
        UserError: the records have no such column.
    """
    if column is None:
        return tf.fill(tf.shape(inputs[records.IMAGE_ID]), "")
    value = inputs.get(records.slice_feature(column))
    if value is None:
        raise UserError(f"trainer.windows.shares names {column!r}, which is not a slicing column of the data")
    if isinstance(value, tf.SparseTensor):
        value = tf.sparse.to_dense(tf.sparse.reset_shape(value, [value.dense_shape[0], 1]), default_value="")
    return tf.reshape(value, [-1])
