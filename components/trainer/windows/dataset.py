"""Batches of windows, random ones to train on and fixed ones to compare epochs by."""

from __future__ import annotations

import tensorflow as tf

from components.trainer.augmentation.augmenter import finisher
from components.trainer.config import TrainerConfig
from components.trainer.input_pipeline import bytes_per_pixel
from components.trainer.record_files import read_share
from components.trainer.sharing import WHOLE, Share
from components.trainer.windows.cutting import Cut, cut_window
from components.trainer.windows.drawing import Rates, draw_images, make_rates
from components.trainer.windows.fixed import count_fixed, fixed_windows
from components.trainer.windows.per_epoch import covering_windows, default_windows_per_epoch
from components.trainer.windows.source import NativeRecords, parse_small, streamed
from components.trainer.windows.strips import NativeImage, parse_image, read_whole
from components.transform.config import TransformConfig
from components.transform.picture_statistics import normalised
from components.transform.pixel_format import RGB, PixelFormat

_SHUFFLED = 10_000
"""Most windows in the shuffle buffer, if the images do not fit into memory."""


def windows_per_epoch(records: NativeRecords, config: TrainerConfig, transform: TransformConfig) -> int:
    """Returns the number of random windows in an epoch: that of the configuration, or one that fits the images."""
    if config.windows.per_epoch is not None:
        return config.windows.per_epoch
    pixels = float((records.height_N * records.width_N).sum())  # Transform has scaled the images.
    covering = covering_windows(pixels, transform.height * transform.width)
    return default_windows_per_epoch(len(records.slice_N), covering, config.batch_size)


def training_windows(
    records: NativeRecords,
    config: TrainerConfig,
    transform: TransformConfig,
    seed: int,
    pixels: PixelFormat = RGB,
    share: Share = WHOLE,
) -> tf.data.Dataset:
    """Returns one epoch of augmented batches (image_BHWC, mask_BHW), drawn anew each time it is read.

    Of several workers, each cuts its share of the windows, in batches of the same size.
    Images are float32 if each is normalised by its own statistics, else uint8.  If the records are held in memory, the
    windows depend only on data, configuration and seed.

    Raises:
        UserError: the shares of the slice values do not fit the data.
    """
    num_classes = len(records.class_pixels_C)
    rare_C = tuple(place != records.class_pixels_C.argmax() for place in range(num_classes))
    cut = Cut((transform.height, transform.width), config.augmentation, config.windows, rare_C, pixels)
    area_N = records.height_N * records.width_N
    per_epoch = windows_per_epoch(records, config, transform)
    rates = make_rates(records.slice_N, area_N, config.windows, per_epoch)

    def window(drawn: tf.Tensor | NativeImage, seed_2: tf.Tensor) -> tuple[tf.Tensor, ...]:
        native = drawn if records.held is None else records.held.image(drawn)
        pair = cut_window(native.strips, cut, seed_2)
        bands = (pixels.bands,)
        return *pair, tf.ensure_shape(native.mean_C, bands), tf.ensure_shape(native.std_C, bands)

    if records.held is not None:
        drawn = share.of(_drawn_from_memory(records, rates, seed))
    else:
        drawn = _drawn(records, rates, seed, share, per_epoch)
    dataset = tf.data.Dataset.zip((drawn, share.of(_seeds(seed))))
    dataset = dataset.map(window, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    if records.held is None:
        buffer = min(_SHUFFLED, config.cache_bytes // (transform.height * transform.width * bytes_per_pixel(pixels)))
        dataset = dataset.shuffle(max(buffer, 4 * config.pictures_per_step), seed=seed)
    dataset = tf.data.Dataset.zip((dataset.batch(config.pictures_per_step), share.of(_seeds(seed))))
    finish = finisher(config.augmentation, transform.by_picture)
    dataset = dataset.map(
        lambda batch, seed_2: finish(batch[0], batch[1], batch[2], batch[3], seed_2),
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    )
    return dataset.prefetch(tf.data.AUTOTUNE)


def evaluation_windows(
    records: NativeRecords, config: TrainerConfig, transform: TransformConfig, pixels: PixelFormat = RGB
) -> tf.data.Dataset:
    """Returns batches of the fixed windows of all images, in one pass; cached if they fit into `cache_bytes`."""
    num_classes, held = len(records.class_pixels_C), records.held
    size_2, most = (transform.height, transform.width), config.windows.evaluated

    def windows(stored: tf.Tensor) -> tf.data.Dataset:
        native = parse_image(stored, num_classes) if held is None else held.image(stored)
        image, mask = fixed_windows(*read_whole(native.strips, pixels), size_2, most)
        if transform.by_picture:
            image = normalised(image, native.mean_C[tf.newaxis], native.std_C[tf.newaxis])
        return tf.data.Dataset.from_tensor_slices((image, mask))

    source = streamed(records) if held is None else tf.data.Dataset.range(len(records.slice_N))
    dataset = source.flat_map(windows)
    sizes = zip(records.height_N.tolist(), records.width_N.tolist(), strict=True)
    number = sum(count_fixed(height, width, size_2, most) for height, width in sizes)
    if transform.by_picture:
        pixels = pixels._replace(depth="float32")
    if number * size_2[0] * size_2[1] * bytes_per_pixel(pixels) <= config.cache_bytes:
        dataset = dataset.cache()
    return dataset.batch(config.batch_size).prefetch(tf.data.AUTOTUNE)


def _seeds(seed: int) -> tf.data.Dataset:
    """Returns seeds [2] without end, other ones each time it is read."""
    return tf.data.Dataset.random(seed, rerandomize_each_iteration=True).batch(2, drop_remainder=True)


def _drawn_from_memory(records: NativeRecords, rates: Rates, seed: int) -> tf.data.Dataset:
    """Returns the index of the image of each of an epoch's windows, shuffled."""
    expected_N = rates.expected(records.slice_N, records.height_N * records.width_N)
    epoch = _seeds(seed).take(1)
    return epoch.flat_map(lambda seed_2: tf.data.Dataset.from_tensor_slices(draw_images(expected_N, seed_2)))


def _drawn(records: NativeRecords, rates: Rates, seed: int, share: Share, per_epoch: int) -> tf.data.Dataset:
    """Returns the image of each of an epoch's windows in the order of reading, by the same sampling.

    An image is parsed once for all of its windows.  A worker draws windows of the images that it reads.
    """
    num_classes = len(records.class_pixels_C)

    def count(position: tf.Tensor, serialized: tf.Tensor) -> tuple[tf.Tensor, tuple[tf.Tensor, tf.Tensor]]:
        after = position + rates.expected_in_graph(*parse_small(serialized))
        number = tf.cast(tf.floor(after) - tf.floor(position), tf.int64)
        return after, (serialized, number)

    def epoch(seed_2: tf.Tensor) -> tf.data.Dataset:
        offset = tf.random.stateless_uniform([], seed_2, dtype=tf.float64)
        counted = read_share(records.files, share).scan(offset, count)
        counted = counted.filter(lambda _, number: number > 0)
        return counted.flat_map(
            lambda serialized, number: tf.data.Dataset.from_tensors(parse_image(serialized, num_classes)).repeat(number)
        )

    drawn = _seeds(seed).take(1).flat_map(epoch)
    return drawn if share == WHOLE else drawn.repeat().take(share.size(per_epoch))
