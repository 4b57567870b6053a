from __future__ import annotations

import io
import random

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from components.example_gen.images import canonical_image
from components.example_gen.quarantine import Reason
from components.example_gen.rejection import RejectionError
from tests.support.data_set import encode, photo
from tests.support.image_files import (
    TURNS,
    GifFrame,
    TiffPage,
    app1,
    exif_data,
    gif_file,
    noise,
    tiff_file,
    with_segments,
)
from tests.support.served_graph import served_pixels

LIMIT = 1_000_000
ALPHA = Image.fromarray(np.random.default_rng(7).integers(0, 256, (24, 32), dtype=np.uint8))


def with_alpha(mode: str) -> Image.Image:
    image = photo().convert(mode)
    image.putalpha(ALPHA)
    return image


def grey16() -> Image.Image:
    return Image.fromarray(np.random.default_rng(3).integers(0, 65536, (24, 32)).astype(np.uint16))


def by_pillow(data: bytes) -> np.ndarray:
    return np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))


def by_tensorflow(data: bytes) -> np.ndarray:
    return tf.io.decode_image(data, channels=3, expand_animations=False).numpy()


KEPT = {
    "rgb png": encode(photo()),
    "grey png": encode(photo().convert("L")),
    "1-bit png": encode(photo().convert("1")),
    "palette png": encode(photo().convert("P")),
    "rgba png": encode(with_alpha("RGB")),
    "grey alpha png": encode(with_alpha("L")),
    "palette png with transparency": encode(photo().convert("P"), transparency=3),
    "bmp": encode(photo(), "BMP"),
}

KEPT_JPEGS = {
    "jpeg": encode(photo(), "JPEG"),
    "progressive jpeg": encode(photo(), "JPEG", progressive=True),
    "grey jpeg": encode(photo().convert("L"), "JPEG"),
    "cmyk jpeg": encode(photo().convert("CMYK"), "JPEG"),
}

TRANSCODED = {
    "tiff": encode(photo(), "TIFF"),
    "packed tiff": encode(photo(), "TIFF", compression="tiff_lzw"),
    "cmyk tiff": encode(photo().convert("CMYK"), "TIFF"),
    "1-bit tiff": encode(photo().convert("1"), "TIFF"),
    "rgba tiff": encode(with_alpha("RGB"), "TIFF"),
    "gif": encode(photo().convert("P"), "GIF"),
    "webp": encode(photo(), "WEBP"),
    "rgba webp": encode(with_alpha("RGB"), "WEBP", lossless=True, exact=True),
    "palette bmp": encode(photo().convert("P"), "BMP"),
    "1-bit bmp": encode(photo().convert("1"), "BMP"),
    "rgba bmp": encode(with_alpha("RGB"), "BMP"),
}


@pytest.mark.parametrize("kind", KEPT)
def test_a_picture_that_tensorflow_decodes_keeps_its_bytes_and_is_seen_alike_by_pillow(kind: str) -> None:
    image = canonical_image(KEPT[kind], LIMIT)
    assert image.encoded is KEPT[kind]
    np.testing.assert_array_equal(image.image_HWC, by_tensorflow(image.encoded))
    np.testing.assert_array_equal(image.image_HWC, by_pillow(KEPT[kind]))


@pytest.mark.parametrize("kind", KEPT_JPEGS)
def test_jpegs_keep_their_bytes_and_differ_from_pillow_by_the_rounding_of_the_transform_only(kind: str) -> None:
    image = canonical_image(KEPT_JPEGS[kind], LIMIT)
    assert image.encoded is KEPT_JPEGS[kind]
    np.testing.assert_array_equal(image.image_HWC, by_tensorflow(image.encoded))
    assert np.abs(image.image_HWC.astype(int) - by_pillow(KEPT_JPEGS[kind])).mean() < 2


@pytest.mark.parametrize("kind", TRANSCODED)
def test_any_other_picture_becomes_a_png_of_the_same_pixels(kind: str) -> None:
    image = canonical_image(TRANSCODED[kind], LIMIT)
    assert image.format == "png"
    np.testing.assert_array_equal(image.image_HWC, by_pillow(TRANSCODED[kind]))
    np.testing.assert_array_equal(image.image_HWC, by_tensorflow(image.encoded))


@pytest.mark.parametrize(("kind", "stays"), [("PNG", True), ("TIFF", False)])
def test_16_bit_grey_becomes_its_high_byte_in_whatever_format(kind: str, stays: bool) -> None:
    data = encode(grey16(), kind)
    image = canonical_image(data, LIMIT)
    assert (image.encoded is data) is stays
    np.testing.assert_array_equal(image.image_HWC[..., 1], np.asarray(grey16()) >> 8)
    np.testing.assert_array_equal(image.image_HWC, by_tensorflow(image.encoded))


def test_an_animated_gif_is_set_aside() -> None:
    frames = [photo(seed=seed).convert("P") for seed in (1, 2)]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    with pytest.raises(RejectionError) as caught:
        canonical_image(data, LIMIT)
    assert caught.value.reason is Reason.SEVERAL_IMAGES


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_a_picture_that_exif_turns_stands_upright(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(photo(), kind, exif=exif)
    image = canonical_image(data, LIMIT)
    np.testing.assert_array_equal(image.image_HWC, by_pillow(data))
    np.testing.assert_array_equal(image.image_HWC, by_tensorflow(image.encoded))


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_jpeg_that_exif_turns_has_the_pixels_of_the_one_that_stands_upright(orientation: int) -> None:
    upright = encode(photo(31, 23), "JPEG", quality=80)
    data = with_segments(upright, app1(exif_data(orientation)))
    image = canonical_image(data, LIMIT)
    np.testing.assert_array_equal(image.image_HWC, TURNS[orientation](by_tensorflow(upright)))
    np.testing.assert_array_equal(image.image_HWC, served_pixels(data))
    np.testing.assert_array_equal(image.image_HWC, by_tensorflow(image.encoded))


def test_damaged_exif_does_not_hurt_the_picture() -> None:
    data = encode(photo(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert canonical_image(data, LIMIT).encoded is data


@pytest.mark.parametrize("kind", [*KEPT, *KEPT_JPEGS, "gif", "webp", "tiff", "packed tiff"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.8])
def test_a_truncated_picture_is_unreadable(kind: str, share: float) -> None:
    data = (KEPT | KEPT_JPEGS | TRANSCODED)[kind]
    with pytest.raises(RejectionError) as caught:
        canonical_image(data[: int(len(data) * share)], LIMIT)
    assert caught.value.reason is Reason.UNREADABLE


@pytest.mark.parametrize("kind", [*KEPT, *KEPT_JPEGS, *TRANSCODED])
def test_damaged_bytes_are_taken_or_refused_but_never_an_error(kind: str) -> None:
    data = (KEPT | KEPT_JPEGS | TRANSCODED)[kind]
    dice = random.Random(kind)
    for _ in range(30):
        damaged = bytearray(data)
        for _ in range(dice.randint(1, 8)):
            damaged[dice.randrange(2, len(data))] = dice.randrange(256)
        try:
            image = canonical_image(bytes(damaged), LIMIT)
        except RejectionError:
            continue
        np.testing.assert_array_equal(image.image_HWC, by_tensorflow(image.encoded))


@pytest.mark.parametrize("mode", ["I", "F"])
def test_32_bit_samples_are_refused_since_their_range_is_unknown(mode: str) -> None:
    with pytest.raises(RejectionError) as caught:
        canonical_image(encode(photo().convert("L").convert(mode), "TIFF"), LIMIT)
    assert caught.value.reason is Reason.UNSUPPORTED_FORMAT


def test_samples_with_a_sign_are_refused_since_their_range_is_unknown() -> None:
    for bits in (8, 16):
        page = TiffPage(noise(0, 4, 5), bits, tags=((339, 3, (2,)),))
        with pytest.raises(RejectionError) as caught:
            canonical_image(tiff_file([page]), LIMIT)
        assert caught.value.reason is Reason.UNSUPPORTED_FORMAT
        assert "signed samples" in caught.value.detail


def test_transparent_pixels_of_a_gif_are_black_in_record_and_graph() -> None:
    indices = np.repeat(np.array([[0, 1]], np.uint16), 16, axis=1).repeat(32, axis=0)
    bright = np.array([[200, 30, 30], [250, 240, 10]], np.uint16)
    data = gif_file([GifFrame(indices, transparent=1)], bright)
    image = canonical_image(data, LIMIT)
    np.testing.assert_array_equal(image.image_HWC, served_pixels(data))
    assert image.image_HWC[0, 0].tolist() == [200, 30, 30]
    assert image.image_HWC[0, -1].tolist() == [0, 0, 0]


def test_a_jpeg_of_two_sizes_is_refused() -> None:
    data = encode(photo(), "JPEG")
    at = data.index(b"\xff\xc0")
    length = 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    other = data[: at + 5] + b"\0\x10\0\x10" + data[at + 9 : at + length]
    with pytest.raises(RejectionError) as caught:
        canonical_image(other + data[at:], LIMIT)
    assert caught.value.reason is Reason.UNREADABLE
