"""Windows of an epoch, if the configuration does not say how many."""

from __future__ import annotations

import pytest

from components.trainer.windows.per_epoch import covering_windows, default_windows_per_epoch


@pytest.mark.parametrize(
    ("images", "covering", "batch_size", "windows"),
    [(204, 803, 16, 803), (500, 20, 16, 500), (10, 100_000, 16, 4000), (6000, 100_000, 16, 6000)],
    ids=["as many as cover the images", "one of small images", "at most 250 batches", "never fewer than images"],
)
def test_windows_cover_the_images_within_bounds(images: int, covering: int, batch_size: int, windows: int) -> None:
    assert default_windows_per_epoch(images, covering, batch_size) == windows


def test_windows_that_cover_have_the_images_pixels() -> None:
    assert covering_windows(10 * 512.0 * 512, 256 * 256) == 40
