"""The `preprocessing_fn` that TFX's Transform traces: from an ingested record to a compact one.

Image and mask become raw bytes of the model's size, or keep their own (mode `crop`): uint8, or float32 for an image of
bands.  Channel statistics, the ranges of bands and class weights are analyzers over the training split; they are
constants of the graph, and the statistics and weights are repeated in each record only because a transform graph has no
other outputs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from common import records
from common.traced_once import FILES, traced_once
from components import component_keys as keys
from components.transform import features
from components.transform.class_weights import class_weights
from components.transform.config import TransformConfig
from components.transform.image_ops import decode_mask, resize_image, resize_mask, to_bytes
from components.transform.native import (
    channel_statistics,
    native_features,
    native_images,
    native_masks,
    slice_values,
)
from components.transform.pixel_format import pixel_format
from components.transform.pixel_source import RGB_SOURCE, PixelSource, pixel_source

_InBatch = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]
"""Encoded files [B] → their pixels [B, H, W, …], and the raw bytes of these [B]."""


def preprocessing_fn(inputs: dict[str, tf.Tensor], custom_config: dict[str, Any]) -> dict[str, tf.Tensor]:
    """Maps `image/encoded`, `mask/encoded` and `image/id`, each string [B], to the features of a compact record.

    Args:
        inputs: Features of the ingested records.
        custom_config: `transform`, the TransformConfig as JSON, `num_classes`, and optionally `slice_column`, whose
            value is kept in mode `crop`; for images of bands their number, `bands`, and their type, `depth`.

    Returns:
        The features named in `components.transform.features`.
    """
    config = TransformConfig.model_validate_json(custom_config[keys.TRANSFORM])
    num_classes = int(custom_config["num_classes"])
    source = pixel_source(inputs, config, pixel_format(custom_config))
    if config.crops:
        made = _native(inputs, config, num_classes, source, custom_config.get(keys.SLICE_COLUMN))
    else:
        made = _resized(inputs, config, num_classes, source)
    return made | _limits_in_each(inputs, source) | _fold_of_each(inputs)


def _native(
    inputs: dict[str, tf.Tensor],
    config: TransformConfig,
    num_classes: int,
    source: PixelSource,
    slice_column: str | None,
) -> dict[str, tf.Tensor]:
    """Returns the features of images at their own size."""
    native = native_images(inputs, config, source)
    masks = native_masks(inputs, config, num_classes)
    pixels_C = tf.ensure_shape(tft.sum(masks.class_pixels_C, reduce_instance_dims=False), [num_classes])
    constants = (*channel_statistics(native, source), class_weights(pixels_C, config.class_weights))
    return native_features(native, masks, slice_values(inputs, slice_column)) | _in_each(inputs, *constants)


def _resized(
    inputs: dict[str, tf.Tensor], config: TransformConfig, num_classes: int, source: PixelSource
) -> dict[str, tf.Tensor]:
    """Returns the features of images at the model's size."""
    size = config.height, config.width, config.aspect
    # What bands are scaled by is a tensor of this trace.
    images = _rgb_images(*size) if source is RGB_SOURCE else _images(source, *size)
    image_BHWC, image_bytes_B = images(inputs[records.IMAGE_ENCODED])
    mask_BHW, mask_bytes_B = _masks(*size)(inputs[records.MASK_ENCODED])
    mean_C, std_C = source.statistics() or _channel_statistics(image_BHWC, source.least_variance)
    weight_C = class_weights(_class_pixels(mask_BHW, num_classes), config.class_weights)
    return {
        features.IMAGE: image_bytes_B,
        features.MASK: mask_bytes_B,
    } | _in_each(inputs, mean_C, std_C, weight_C)


@functools.cache
def _rgb_images(height: int, width: int, aspect: str) -> _InBatch:
    """Returns `_images` of 8-bit RGB as a function that is traced once: TFX traces `preprocessing_fn` nine times."""
    traced: _InBatch = traced_once(FILES)(_images(RGB_SOURCE, height, width, aspect))
    return traced


def _images(source: PixelSource, height: int, width: int, aspect: str) -> _InBatch:
    spec = tf.TensorSpec([height, width, source.pixels.bands], source.pixels.pixel_type)

    def images(encoded_B: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        image_BHWC = tf.map_fn(
            lambda encoded: resize_image(source.decode(encoded), height, width, aspect),
            encoded_B,
            fn_output_signature=spec,
        )
        return image_BHWC, _bytes_of_each(image_BHWC)

    return images


@functools.cache
def _masks(height: int, width: int, aspect: str) -> _InBatch:
    """Returns the same of masks, traced once too."""

    @traced_once(FILES)
    def masks(encoded_B: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        mask_BHW = tf.map_fn(
            lambda encoded: resize_mask(decode_mask(encoded), height, width, aspect),
            encoded_B,
            fn_output_signature=tf.TensorSpec([height, width], tf.uint8),
        )
        return mask_BHW, _bytes_of_each(mask_BHW)

    traced: _InBatch = masks
    return traced


def _bytes_of_each(pixels_B: tf.Tensor) -> tf.Tensor:
    return tf.map_fn(to_bytes, pixels_B, fn_output_signature=tf.TensorSpec([], tf.string))


def _in_each(
    inputs: dict[str, tf.Tensor], mean_C: tf.Tensor, std_C: tf.Tensor, weight_C: tf.Tensor
) -> dict[str, tf.Tensor]:
    """Returns the names of the records, and the analyzers' results repeated in each."""
    batch = tf.shape(inputs[records.IMAGE_ENCODED])[0]
    return {
        features.ID: inputs[records.IMAGE_ID],
        features.CHANNEL_MEAN: _repeat(mean_C, batch),
        features.CHANNEL_STD: _repeat(std_C, batch),
        features.CLASS_WEIGHT: _repeat(weight_C, batch),
    }


def _limits_in_each(inputs: dict[str, tf.Tensor], source: PixelSource) -> dict[str, tf.Tensor]:
    """Returns the limits of the bands, repeated in each record; RGB has none."""
    if source.limits is None:
        return {}
    batch = tf.shape(inputs[records.IMAGE_ENCODED])[0]
    return {
        features.BAND_LOW: _repeat(source.limits.low_C, batch),
        features.BAND_HIGH: _repeat(source.limits.high_C, batch),
    }


def _fold_of_each(inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Returns the records' folds, if the data has any."""
    return {features.FOLD: inputs[records.FOLD]} if records.FOLD in inputs else {}


def _channel_statistics(image_BHWC: tf.Tensor, least_variance: float) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean and standard deviation [bands] of each channel; exact, as all images have the same number of pixels.

    They are added up with twice the digits, so that their last digit does not depend on how Beam divides the images.
    """
    pixels = tf.cast(image_BHWC, tf.float32)
    mean_BC, square_BC = (
        tf.cast(tf.reduce_mean(each, axis=[1, 2]), tf.float64) for each in (pixels, tf.square(pixels))
    )
    mean_C = tft.mean(mean_BC, reduce_instance_dims=False)
    square_C = tft.mean(square_BC, reduce_instance_dims=False)
    std_C = tf.sqrt(tf.maximum(square_C - tf.square(mean_C), least_variance))
    return tf.cast(mean_C, tf.float32), tf.cast(std_C, tf.float32)


def _class_pixels(mask_BHW: tf.Tensor, num_classes: int) -> tf.Tensor:
    """Pixels of each class [C] over the training split; void is in none."""
    flat_BN = tf.cast(tf.reshape(mask_BHW, [tf.shape(mask_BHW)[0], -1]), tf.int32)
    counts_BV = tf.math.bincount(flat_BN, minlength=records.VOID + 1, maxlength=records.VOID + 1, axis=-1)
    counts_BC = tf.cast(counts_BV[:, :num_classes], tf.int64)
    return tf.ensure_shape(tft.sum(counts_BC, reduce_instance_dims=False), [num_classes])


def _repeat(constant: tf.Tensor, batch: tf.Tensor) -> tf.Tensor:
    return tf.tile(constant[tf.newaxis, :], [batch, 1])
