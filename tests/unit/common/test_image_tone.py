"""Brightness and contrast of encoded images."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from common.band_image import pack_bands, pack_plain
from common.image_tone import png_size, samples_tone, tone_of


def encode(image_HWC: np.ndarray, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(image_HWC).save(out, kind, **options)  # type: ignore[arg-type]
    return out.getvalue()


def scene(height: int, width: int) -> np.ndarray:
    """A smooth photograph-like image, whose structures are coarser than the reduction."""
    rows, columns = np.mgrid[:height, :width] / max(height, width)
    luma = 110 + 60 * np.sin(9 * rows) + 40 * np.cos(7 * columns)
    return np.stack([luma, luma * 0.9, luma * 0.8], axis=-1).astype(np.uint8)


def reference(image_HWC: np.ndarray) -> tuple[float, float]:
    """Luma by ITU-R BT.601, of every pixel."""
    luma_HW = image_HWC @ np.array([0.299, 0.587, 0.114]) / 255
    return float(luma_HW.mean()), float(luma_HW.std())


@pytest.mark.parametrize("size", [(50, 70), (300, 400), (1100, 1500)])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP"])
def test_the_formats_agree_with_each_other_and_with_the_definition(size: tuple[int, int], kind: str) -> None:
    image_HWC = scene(*size)
    assert tone_of(encode(image_HWC, kind)) == pytest.approx(reference(image_HWC), abs=0.01)


def test_grain_is_averaged_in_every_format_alike() -> None:
    grain_HW = np.random.default_rng(0).integers(0, 256, [1024, 1024]).astype(np.uint8)
    png, jpeg = (
        tone_of(encode(grain_HW, kind, **options)) for kind, options in (("PNG", {}), ("JPEG", {"quality": 95}))
    )
    assert png == pytest.approx(jpeg, abs=0.01)
    assert png.contrast < 0.06 < grain_HW.std() / 255


def test_alpha_is_dropped_and_16_bits_count_by_their_high_byte() -> None:
    rgba_HWC = np.full([4, 4, 4], (255, 255, 255, 0), np.uint8)
    assert tone_of(encode(rgba_HWC, "PNG")) == pytest.approx((1, 0))
    assert tone_of(encode(np.full([4, 4], 0x80FF, np.uint16), "PNG")) == pytest.approx((0x80 / 255, 0), abs=1e-6)


def test_the_tone_of_bands_is_a_share_of_the_range() -> None:
    assert samples_tone(np.array([[[0, 65535]]], np.uint16)) == pytest.approx((0.5, 0.5))
    assert samples_tone(np.array([[[-3.0, 1.0]]], np.float32)) == pytest.approx((0.5, 0.5))
    assert samples_tone(np.full([2, 2, 1], 7.5, np.float32)) == (0, 0)
    bands_HWC = np.array([[[0, 65535]]], np.uint16)
    assert tone_of(pack_plain(bands_HWC)) == tone_of(pack_bands(bands_HWC)) == pytest.approx((0.5, 0.5))


@pytest.mark.parametrize("encoded", [b"", b"text", encode(scene(50, 50), "PNG")[:60]])
def test_what_cannot_be_decoded_is_an_error(encoded: bytes) -> None:
    with pytest.raises(ValueError, match="cannot be decoded"):
        tone_of(encoded)


def test_the_size_of_a_png_is_in_its_header() -> None:
    assert png_size(encode(scene(50, 70), "PNG")) == (50, 70)
    assert png_size(b"") is None
