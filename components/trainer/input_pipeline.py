"""Input pipeline: from Transform's compact records to batches on the device."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from common.errors import UserError
from components.trainer.augmentation.augmenter import augmenter
from components.trainer.config import TrainerConfig
from components.trainer.record_files import Files, read_records, read_share
from components.trainer.sharing import WHOLE, Share
from components.transform import features
from components.transform.bands import Range
from components.transform.config import TransformConfig
from components.transform.image_ops import images_from_bytes, masks_from_bytes
from components.transform.picture_statistics import batch_statistics, normalised
from components.transform.pixel_format import RGB, PixelFormat
from components.transform.pixel_source import RGB_SOURCE, PixelSource, scaled_source


class Constants(NamedTuple):
    """Results of Transform's analyzers over the training split."""

    channel_mean_C: np.ndarray
    """C channels: red, green and blue, or the bands."""
    channel_std_C: np.ndarray
    class_weight_C: np.ndarray
    """C classes."""


def read_constants(files: Files, num_classes: int, pixels: PixelFormat = RGB) -> Constants:
    """Reads the analyzers' results from the first record, where Transform repeats them.

    Raises:
        UserError: there is no record.
    """
    spec = {
        features.CHANNEL_MEAN: tf.io.FixedLenFeature([pixels.bands], tf.float32),
        features.CHANNEL_STD: tf.io.FixedLenFeature([pixels.bands], tf.float32),
        features.CLASS_WEIGHT: tf.io.FixedLenFeature([num_classes], tf.float32),
    }
    for record in read_records(files).take(1):
        parsed = tf.io.parse_single_example(record, spec)
        return Constants(*(parsed[name].numpy() for name in spec))
    raise UserError("there is no training record: every pair was quarantined, or the train share of the split is 0")


def read_source(files: Files, pixels: PixelFormat) -> PixelSource:
    """Returns the reader of encoded images whose values are scaled as Transform scaled them.

    The files are those that `read_constants` has read.
    """
    if pixels.depth is None:
        return RGB_SOURCE
    spec = {name: tf.io.FixedLenFeature([pixels.bands], tf.float32) for name in (features.BAND_LOW, features.BAND_HIGH)}
    parsed = tf.io.parse_single_example(next(iter(read_records(files))), spec)
    # As NumPy arrays: constants of any graph, not tensors of this one.
    return scaled_source(pixels, Range(parsed[features.BAND_LOW].numpy(), parsed[features.BAND_HIGH].numpy()))


def training_dataset(
    files: Files,
    config: TrainerConfig,
    transform: TransformConfig,
    seed: int,
    pixels: PixelFormat = RGB,
    share: Share = WHOLE,
) -> tf.data.Dataset:
    """Returns one epoch of augmented batches (image_BHWC, mask_BHW uint8), reshuffled each time it is read.

    Of several workers, each reads its share of the records, in batches of the same size.

    Records that fit into `cache_bytes` are cached in the order of their names, so that a training
    depends only on data, configuration and seed; more are read in parallel through a shuffle buffer of
    that size.
    """
    fits, records = _held_in_memory(files, config.cache_bytes)
    if not fits:
        records = read_share(files, share)
    record_bytes = transform.height * transform.width * bytes_per_pixel(pixels)
    buffer = fits or max(config.pictures_per_step * 4, min(10_000, config.cache_bytes // record_bytes))
    dataset = records.shuffle(buffer, seed=seed, reshuffle_each_iteration=True)
    if fits:
        dataset = share.of(dataset)
    dataset = _parsed_batches(dataset, config.pictures_per_step, transform, pixels)
    seeds = share.of(tf.data.Dataset.random(seed, rerandomize_each_iteration=True).batch(2, drop_remainder=True))
    augment = augmenter(config.augmentation, transform.by_picture)
    dataset = tf.data.Dataset.zip((dataset, seeds)).map(
        lambda batch, seed_2: augment(batch[0], batch[1], seed_2),
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    )
    return dataset.prefetch(tf.data.AUTOTUNE)


def evaluation_dataset(
    files: Files,
    batch_size: int,
    transform: TransformConfig,
    cache_bytes: int = 0,
    pixels: PixelFormat = RGB,
) -> tf.data.Dataset:
    """Returns batches (image_BHWC, mask_BHW uint8) without augmentation, in one pass; cached if they fit."""
    _, records = _held_in_memory(files, cache_bytes)
    dataset = _parsed_batches(records, batch_size, transform, pixels)
    if transform.by_picture:
        dataset = dataset.map(
            lambda image_BHWC, mask_BHW: (normalised(image_BHWC, *batch_statistics(image_BHWC)), mask_BHW),
            num_parallel_calls=tf.data.AUTOTUNE,
        )
    return dataset.prefetch(tf.data.AUTOTUNE)


def bytes_per_pixel(pixels: PixelFormat) -> int:
    """Bytes of a pixel and its class in a compact record."""
    return pixels.bands * tf.as_dtype(pixels.pixel_type).size + 1


def _held_in_memory(files: Files, limit: int) -> tuple[int, tf.data.Dataset]:
    """Returns the records by name and their number, if they fit into `limit` bytes; else 0 and a parallel reader."""
    held, size = [], 0
    for record in read_records(files).as_numpy_iterator():
        held.append(record)
        size += len(record)
        if size > limit:
            return 0, read_records(files, interleaved=True)
    names = tf.io.parse_example(held, {features.ID: tf.io.FixedLenFeature([], tf.string)})[features.ID].numpy()
    order = np.argsort(names, kind="stable")
    return len(held), tf.data.Dataset.from_tensor_slices([held[i] for i in order])


def _parsed_batches(
    records: tf.data.Dataset, batch_size: int, transform: TransformConfig, pixels: PixelFormat
) -> tf.data.Dataset:
    def parse(serialized_B: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        spec = {name: tf.io.FixedLenFeature([], tf.string) for name in (features.IMAGE, features.MASK)}
        parsed = tf.io.parse_example(serialized_B, spec)
        return (
            images_from_bytes(parsed[features.IMAGE], transform.height, transform.width, pixels),
            masks_from_bytes(parsed[features.MASK], transform.height, transform.width),
        )

    return records.batch(batch_size).map(parse, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
