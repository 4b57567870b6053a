"""Test images as the formats' inputs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from common.errors import UserError
from components.exporter.samples import (
    MOST_TILES,
    InputSettings,
    LabelledImage,
    at_input_size,
    check_decodable,
    cut_tiles,
    draw_images,
    first_images,
    input_settings,
    whole,
)
from components.transform.config import TransformConfig
from components.transform.image_ops import decode_image, resize_image
from components.transform.picture_statistics import picture_statistics
from tests.support.exported import record
from tests.support.serving import TILE, trainer_settings


def as_is(samples: np.ndarray) -> np.ndarray:
    return samples


def test_a_whole_image_has_its_own_size_and_its_mask(images: list[LabelledImage]) -> None:
    sample = whole(images[1])
    assert sample.inputs["pixels"].shape == (1, 90, 33, 3)
    assert sample.truth_BHW is not None
    assert sample.truth_BHW.shape == (1, 90, 33)


def test_an_image_is_resized_as_in_training(images: list[LabelledImage], settings: InputSettings) -> None:
    sample = at_input_size(images[1], settings, as_is)
    expected = resize_image(decode_image(tf.constant(images[1].encoded)), TILE, TILE, "stretch")
    np.testing.assert_array_equal(sample.inputs["pixels"][0], expected)
    assert sample.truth_BHW is not None
    assert sample.truth_BHW.shape == (1, TILE, TILE)


def test_tiles_cover_the_image_and_come_with_the_statistics_of_the_whole(images: list[LabelledImage]) -> None:
    settings = input_settings(trainer_settings("tile"))
    tiled = settings._replace(transform=settings.transform.model_copy(update={"normalize": "picture"}))
    sample = at_input_size(images[1], tiled, as_is)
    image_HWC = decode_image(tf.constant(images[1].encoded))
    assert sample.inputs["pixels"].shape == (3 * 2, TILE, TILE, 3)
    np.testing.assert_array_equal(sample.inputs["pixels"][-1], image_HWC[-TILE:, -TILE:])
    np.testing.assert_allclose(sample.inputs["mean"], picture_statistics(image_HWC)[0])
    assert sample.truth_BHW is not None
    assert sample.truth_BHW.shape == (6, TILE, TILE)


def test_a_scaled_window_gets_tiles_of_the_scaled_image(images: list[LabelledImage]) -> None:
    settings = InputSettings(TransformConfig(height=16, width=16), is_tiled=True, scale=0.5, num_classes=4)
    assert at_input_size(images[0], settings, as_is).inputs["pixels"].shape == (2 * 2, 16, 16, 3)


@pytest.mark.parametrize(("size", "tiles"), [((5, 3), 1), ((8, 8), 1), ((9, 20), 6), ((80, 80), MOST_TILES)])
def test_a_large_image_has_a_limited_number_of_tiles(size: tuple[int, int], tiles: int) -> None:
    assert cut_tiles(np.zeros(size, np.uint8), (8, 8)).shape == (tiles, 8, 8)


def test_an_image_smaller_than_a_tile_is_reflected() -> None:
    (tile,) = cut_tiles(np.array([[1, 2]]), (1, 4))
    assert tile.tolist() == [[1, 2, 2, 1]]


@pytest.fixture
def record_files(tmp_path: Path) -> list[str]:
    """Forty records in two files; each is named by its number."""
    for file in range(2):
        with tf.io.TFRecordWriter(str(tmp_path / f"data-{file}")) as writer:
            for index in range(20):
                writer.write(record(LabelledImage(str(20 * file + index), b"image", b"mask")))
    return [str(tmp_path / "*")]


def numbers(images: Iterable[LabelledImage]) -> list[int]:
    return [int(image.id) for image in images]


def test_the_first_images_are_those_of_the_first_files(record_files: list[str]) -> None:
    assert numbers(first_images(record_files, 22)) == list(range(22))
    assert len(first_images(record_files, 100)) == 40


def test_images_are_drawn_by_the_seed_from_all_files(record_files: list[str]) -> None:
    drawn = draw_images(record_files, 10, seed=1)
    assert len(set(numbers(drawn))) == 10
    assert min(numbers(drawn)) < 20 <= max(numbers(drawn))
    assert numbers(drawn) == numbers(drawn) == numbers(draw_images(record_files, 10, seed=1))
    assert numbers(drawn) != numbers(draw_images(record_files, 10, seed=2))
    assert numbers(draw_images(record_files, 100, seed=1)) == list(range(40))


def test_each_image_is_as_likely_to_be_drawn_as_any_other(record_files: list[str]) -> None:
    counts_N = sum(np.bincount(numbers(draw_images(record_files, 10, seed)), minlength=40) for seed in range(8))
    assert counts_N.sum() == 80
    assert counts_N[:20].sum() == pytest.approx(40, abs=19)  # 4.8 standard deviations of 8 draws.


def test_an_image_that_cannot_be_decoded_is_named(images: list[LabelledImage]) -> None:
    check_decodable(images[0])
    with pytest.raises(UserError, match="the image broken cannot be decoded: it must be a JPEG, PNG, GIF or BMP"):
        check_decodable(LabelledImage("broken", images[0].encoded[:100], None))
