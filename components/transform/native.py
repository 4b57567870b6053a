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
    decode_mask,
    resize_nearest,
    resize_pixels,
    scaled_size,
    to_bytes,
)
from components.transform.picture_statistics import picture_statistics
from components.transform.pixel_source import PixelSource


class Native(NamedTuple):
    """Images of a batch."""

    image: tf.Tensor
    """Raw bytes."""
    size_2: tf.Tensor
    """Height and width."""
    mean_C: tf.Tensor
    """Statistics of the whole image."""
    std_C: tf.Tensor


class NativeMasks(NamedTuple):
    """Masks of a batch, of the sizes of their images."""

    mask: tf.Tensor
    """Raw bytes."""
    class_pixels_C: tf.Tensor


def native_images(inputs: dict[str, tf.Tensor], config: TransformConfig, source: PixelSource) -> Native:
    """Decodes the image of each record, one after the other, and scales it by `config.scale`."""

    def keep(encoded: tf.Tensor) -> Native:
        image_HWC = source.decode(encoded)
        mean_C, std_C = picture_statistics(image_HWC)
        size_2 = tf.shape(image_HWC)[:2]
        if config.scale != 1:
            size_2 = scaled_size(size_2, config.scale)
            image_HWC = resize_pixels(image_HWC, size_2)
        return Native(to_bytes(image_HWC), tf.cast(size_2, tf.int64), mean_C, std_C)

    per_band = tf.TensorSpec([source.pixels.bands], tf.float32)
    spec = Native(tf.TensorSpec([], tf.string), tf.TensorSpec([2], tf.int64), per_band, per_band)
    return Native(*tf.map_fn(keep, inputs[records.IMAGE_ENCODED], fn_output_signature=spec, parallel_iterations=1))


def native_masks(inputs: dict[str, tf.Tensor], config: TransformConfig, num_classes: int) -> NativeMasks:
    """Decodes and scales the masks, which ingestion keeps at their images' sizes, and counts their pixels.

    They have a loop of their own: in one that also scales bands the sum of the counts would wait for the analyzer of
    the bands' range, see `components.transform.bands.Range.statistics`.
    """

    def keep(encoded_mask: tf.Tensor) -> NativeMasks:
        mask_HW = decode_mask(encoded_mask)
        if config.scale != 1:
            mask_HW = resize_nearest(mask_HW, scaled_size(tf.shape(mask_HW), config.scale))
        return NativeMasks(to_bytes(mask_HW), class_pixels(mask_HW, num_classes))

    spec = NativeMasks(tf.TensorSpec([], tf.string), tf.TensorSpec([num_classes], tf.int64))
    return NativeMasks(*tf.map_fn(keep, inputs[records.MASK_ENCODED], fn_output_signature=spec, parallel_iterations=1))


def channel_statistics(native: Native, source: PixelSource) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean and standard deviation [bands] of each channel over all pixels of the training images."""
    if known := source.statistics():
        return known
    pixels_B1 = tf.cast(tf.reduce_prod(native.size_2, axis=1, keepdims=True), tf.float64)
    mean_BC, std_BC = tf.cast(native.mean_C, tf.float64), tf.cast(native.std_C, tf.float64)
    total = tf.maximum(tft.sum(pixels_B1, reduce_instance_dims=False), 1.0)
    mean_C = tft.sum(pixels_B1 * mean_BC, reduce_instance_dims=False) / total
    square_C = tft.sum(pixels_B1 * (tf.square(std_BC) + tf.square(mean_BC)), reduce_instance_dims=False) / total
    std_C = tf.sqrt(tf.maximum(square_C - tf.square(mean_C), source.least_variance))
    mean_C, std_C = (tf.ensure_shape(tf.cast(value, tf.float32), [source.pixels.bands]) for value in (mean_C, std_C))
    return mean_C, std_C


def native_features(native: Native, masks: NativeMasks, slice_B: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns the features that only records of this mode have, and image and mask."""
    return {
        features.IMAGE: native.image,
        features.MASK: masks.mask,
        features.HEIGHT: native.size_2[:, 0],
        features.WIDTH: native.size_2[:, 1],
        features.PICTURE_MEAN: native.mean_C,
        features.PICTURE_STD: native.std_C,
        features.CLASS_PIXELS: masks.class_pixels_C,
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
