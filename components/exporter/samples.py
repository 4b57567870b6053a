"""Test images as inputs of the formats: whole, resized to the model's input, or cut into tiles of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from common import records
from common.band_image import for_request, is_band_image, unpack_bands
from common.errors import UserError
from common.signatures import MEAN, PIXELS, STD
from components import component_keys as keys
from components.exporter.formats import Arrays
from components.trainer.config import TrainerConfig
from components.trainer.inference.orientation import decode_upright
from components.transform.config import TransformConfig
from components.transform.image_ops import (
    decode_mask,
    resize_image,
    resize_mask,
    resize_nearest,
    resize_pixels,
    scaled_size,
)
from components.transform.picture_statistics import picture_statistics

Values = Callable[[npt.NDArray[Any]], npt.NDArray[Any]]
"""Samples [H, W, C] → the values 0…255 that the network gets."""
MOST_TILES = 16
"""Tiles of an image that are compared, spread evenly over it."""


class LabelledImage(NamedTuple):
    """An image with its mask, if there is one."""

    id: str
    encoded: bytes
    """As an app sends it."""
    truth: bytes | None


class Sample(NamedTuple):
    """Inputs of a format, and their true masks [B, H, W]."""

    inputs: Arrays
    truth_BHW: npt.NDArray[np.uint8] | None


class InputSettings(NamedTuple):
    """How the model gets its input."""

    transform: TransformConfig
    is_tiled: bool
    scale: float
    num_classes: int


def input_settings(trainer_settings: str) -> InputSettings:
    """From the Trainer's `custom_config`, as JSON."""
    settings: dict[str, Any] = json.loads(trainer_settings)
    trainer = TrainerConfig.model_validate_json(settings[keys.TRAINER])
    transform = TransformConfig.model_validate_json(settings[keys.TRANSFORM])
    return _input_settings(trainer, transform, len(settings[keys.CLASSES]))


def settings_of_run(config: dict[str, Any]) -> InputSettings:
    """From a run's configuration, as a manifest keeps it."""
    trainer = TrainerConfig.model_validate(config["trainer"])
    transform = TransformConfig.model_validate(config["transform"])
    return _input_settings(trainer, transform, len(config["data"]["classes"]))


def _input_settings(trainer: TrainerConfig, transform: TransformConfig, num_classes: int) -> InputSettings:
    inference = trainer.inference
    return InputSettings(transform, inference.mode == "tile", inference.scale, num_classes)


class RecordImages:
    """Images of record files, read one by one each time that they are iterated, so that only one is in memory."""

    def __init__(self, files: Sequence[str], indices: Iterable[int]) -> None:
        """`indices` are numbers of records, counted through all files."""
        self._files = files
        self._indices = frozenset(indices)

    def __len__(self) -> int:
        return len(self._indices)

    def __iter__(self) -> Iterator[LabelledImage]:
        end = max(self._indices, default=-1) + 1
        for index, record in enumerate(_records(self._files).take(end).as_numpy_iterator()):
            if index in self._indices:
                yield _labelled_image(record)


def first_images(patterns: Sequence[str], limit: int) -> RecordImages:
    """Returns the first `limit` images of the record files, in the order of their names.

    Raises:
        UserError: there is none.
    """
    files = _files(patterns)
    count = _count(_records(files).take(limit))
    if not count:
        raise UserError("the test split is empty, so no export format can be checked: raise data.split.test")
    return RecordImages(files, range(count))


def draw_images(patterns: Sequence[str], limit: int, seed: int) -> RecordImages:
    """Returns `limit` images of the record files, or all if there are fewer; each is as likely as any other."""
    files = _files(patterns)
    count = _count(_records(files))
    return RecordImages(files, np.random.default_rng(seed).permutation(count)[:limit].tolist())


def check_decodable(image: LabelledImage) -> None:
    """Decodes the image.

    Raises:
        UserError: it cannot be decoded.
    """
    try:
        _decode(image)
    except (tf.errors.OpError, ValueError) as error:
        raise UserError(
            f"the image {image.id} cannot be decoded: it must be a JPEG, PNG, GIF or BMP that is complete"
        ) from error


def whole(image: LabelledImage) -> Sample:
    """Returns the image as it is, for a format that takes any size."""
    truth_HW = None if image.truth is None else decode_mask(tf.constant(image.truth)).numpy()[np.newaxis]
    return Sample({PIXELS: _decode(image)[np.newaxis]}, truth_HW)


def at_input_size(image: LabelledImage, settings: InputSettings, values: Values) -> Sample:
    """Returns the image resized to the model's input, or as tiles if the model slides its window.

    `values` maps samples to what the network gets, for an image's own statistics.
    """
    return _tiles(image, settings, values) if settings.is_tiled else _fitted(image, settings.transform)


def _files(patterns: Sequence[str]) -> list[str]:
    return sorted(path for pattern in patterns for path in tf.io.gfile.glob(pattern))


def _records(files: Sequence[str]) -> tf.data.Dataset:
    return tf.data.TFRecordDataset(files)


def _count(dataset: tf.data.Dataset) -> int:
    return int(dataset.reduce(np.int64(0), lambda count, _: count + 1))


def _labelled_image(record: bytes) -> LabelledImage:
    feature = tf.train.Example.FromString(record).features.feature
    return LabelledImage(
        feature[records.IMAGE_ID].bytes_list.value[0].decode("utf-8", "replace"),
        for_request(feature[records.IMAGE_ENCODED].bytes_list.value[0]),
        feature[records.MASK_ENCODED].bytes_list.value[0],
    )


def _decode(image: LabelledImage) -> npt.NDArray[Any]:
    """Returns the upright pixels [H, W, C] of the samples' type."""
    if is_band_image(image.encoded):
        return unpack_bands(image.encoded)
    pixels_HWC: npt.NDArray[np.uint8] = decode_upright(tf.constant(image.encoded)).numpy()
    return pixels_HWC


def _fitted(image: LabelledImage, transform: TransformConfig) -> Sample:
    size = transform.height, transform.width, transform.aspect
    pixels_HWC = _decode(image)
    fitted_HWC = _as_samples(resize_image(tf.constant(pixels_HWC), *size).numpy(), pixels_HWC.dtype)
    truth_HW = None if image.truth is None else resize_mask(decode_mask(tf.constant(image.truth)), *size).numpy()
    return Sample({PIXELS: fitted_HWC[np.newaxis]}, None if truth_HW is None else truth_HW[np.newaxis])


def _tiles(image: LabelledImage, settings: InputSettings, values: Values) -> Sample:
    pixels_HWC = _decode(image)
    truth_HW = None if image.truth is None else decode_mask(tf.constant(image.truth)).numpy()
    if settings.scale != 1:
        size_2 = scaled_size(tf.constant(pixels_HWC.shape[:2]), settings.scale)
        pixels_HWC = _as_samples(resize_pixels(tf.constant(pixels_HWC), size_2).numpy(), pixels_HWC.dtype)
        truth_HW = None if truth_HW is None else resize_nearest(tf.constant(truth_HW), size_2).numpy()
    tile_2 = settings.transform.height, settings.transform.width
    inputs: dict[str, npt.NDArray[Any]] = {PIXELS: cut_tiles(pixels_HWC, tile_2)}
    if settings.transform.by_picture:
        mean_C, std_C = picture_statistics(tf.constant(values(pixels_HWC)))
        inputs |= {MEAN: mean_C.numpy(), STD: std_C.numpy()}
    return Sample(inputs, None if truth_HW is None else cut_tiles(truth_HW, tile_2))


def _as_samples(pixels: npt.NDArray[Any], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    return pixels.astype(dtype) if np.dtype(dtype).kind == "f" else np.rint(pixels).astype(dtype)


def cut_tiles(image: npt.NDArray[Any], tile_2: tuple[int, int]) -> npt.NDArray[Any]:
    """Cuts an image [H, W, …] into tiles [N, h, w, …], side by side, the last ones moved inwards; at most `MOST_TILES`.

    An image that is smaller than a tile is reflected beyond its ends.
    """
    missing = [max(0, tile - length) for tile, length in zip(tile_2, image.shape, strict=False)]
    image = np.pad(image, [(0, more) for more in missing] + [(0, 0)] * (image.ndim - 2), mode="symmetric")
    corners = [(top, left) for top in _starts(image.shape[0], tile_2[0]) for left in _starts(image.shape[1], tile_2[1])]
    chosen = np.unique(np.linspace(0, len(corners) - 1, MOST_TILES).round().astype(int))
    return np.stack(
        [image[top : top + tile_2[0], left : left + tile_2[1]] for top, left in (corners[index] for index in chosen)]
    )


def _starts(length: int, tile: int) -> Iterator[int]:
    for start in range(0, length, tile):
        yield min(start, length - tile)
