"""Batches are bounded by number and by pixels."""

from __future__ import annotations

from components.batch_predictor.batches import batches_of


def sizes(*pixels: int | None, size: int = 3, most: int = 100) -> list[list[int | None]]:
    return list(batches_of(pixels, lambda number: number, size, most))


def test_a_batch_has_no_more_images_than_allowed() -> None:
    assert sizes(1, 1, 1, 1) == [[1, 1, 1], [1]]


def test_a_batch_has_no_more_pixels_than_allowed() -> None:
    assert sizes(60, 40, 1, 99) == [[60, 40], [1, 99]]


def test_a_larger_image_is_alone() -> None:
    assert sizes(10, 500, 10) == [[10], [500], [10]]


def test_an_image_of_unknown_size_is_alone() -> None:
    assert sizes(10, None, 10) == [[10], [None], [10]]


def test_nothing_gives_no_batch() -> None:
    assert sizes() == []
