"""What is refused before anything runs."""

from __future__ import annotations

import pytest

from components.trainer.inference.config import InferenceConfig, check_band
from components.transform.config import TransformConfig

TILED = InferenceConfig(mode="tile")
LARGE = TransformConfig(height=1024, width=512)


def test_a_band_that_would_fill_the_memory_is_refused_and_what_fits_is_named() -> None:
    with pytest.raises(ValueError, match=r"would hold 1\.2 GB .* lower trainer\.max_pixels to (\d+)") as caught:
        check_band(TILED, LARGE, 59, 25_000_000)
    fitting = int(str(caught.value).rsplit(" ", 1)[1])
    check_band(TILED, LARGE, 59, fitting)


def test_tiles_that_are_too_large_by_themselves_are_named() -> None:
    with pytest.raises(ValueError, match=r"lower transform\.height and width"):
        check_band(TILED, TransformConfig(height=2048, width=2048), 255, 1000)


def test_the_band_does_not_matter_when_pictures_are_resized() -> None:
    check_band(InferenceConfig(), LARGE, 255, 10**9)
