"""Pictures as apps hold them, and the bytes that are sent."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components.orientation import orientation
from serving.client.pictures import decoded_rgb, encoded
from tests.support.image_files import XMP, GifFrame, app1, exif_data, gif_file, gif_image, segment, with_segments

RGB = np.random.default_rng(2).integers(0, 256, [20, 30, 3]).astype(np.uint8)


def file_of(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)  # type: ignore[arg-type]
    return out.getvalue()


def test_files_are_sent_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "picture.jpg"
    path.write_bytes(file_of(Image.fromarray(RGB)))
    for picture in (path, str(path), path.read_bytes(), bytearray(path.read_bytes())):
        assert encoded(picture) == path.read_bytes()  # type: ignore[arg-type]


def test_pixels_are_sent_without_loss() -> None:
    for picture in (RGB, Image.fromarray(RGB), np.asfortranarray(RGB), RGB[::-1][::-1]):
        np.testing.assert_array_equal(decoded_rgb(encoded(picture)), RGB)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "HSV", "F"])
def test_a_pillow_image_of_any_mode_is_sent_as_it_looks(mode: str) -> None:
    image = Image.fromarray(RGB).convert(mode)
    np.testing.assert_array_equal(decoded_rgb(encoded(image)), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("channels", [1, 4])
def test_grey_and_transparent_pixels_are_taken_too(channels: int) -> None:
    pixels_HWC = np.repeat(RGB[..., :1], channels, axis=2)
    np.testing.assert_array_equal(decoded_rgb(encoded(pixels_HWC))[..., 0], RGB[..., 0])


def test_a_picture_that_its_exif_data_turns_is_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = file_of(Image.fromarray(RGB), exif=exif)
    assert decoded_rgb(data).shape == (30, 20, 3)
    with Image.open(io.BytesIO(data)) as image:
        sent = encoded(image)
    np.testing.assert_array_equal(decoded_rgb(sent), decoded_rgb(data))
    assert Image.open(io.BytesIO(sent)).size == (20, 30)


@pytest.mark.parametrize("value", range(1, 9))
def test_an_opened_image_is_sent_as_its_file_would_be_seen(value: int) -> None:
    for exif in (exif_data(value), exif_data(value, kind=4), exif_data(value, count=2)):
        data = with_segments(file_of(Image.fromarray(RGB), quality=100), app1(exif))
        with Image.open(io.BytesIO(data)) as image:
            sent = encoded(image)
        np.testing.assert_array_equal(decoded_rgb(sent), decoded_rgb(data))
        assert decoded_rgb(data).shape[:2] == ((30, 20) if orientation(data) >= 5 else (20, 30))


def test_xmp_turns_no_image() -> None:
    data = with_segments(file_of(Image.fromarray(RGB)), segment(0xFFE1, XMP))
    with Image.open(io.BytesIO(data)) as image:
        assert image.getexif()[0x0112] == 6, "Pillow obeys it"
        assert decoded_rgb(encoded(image)).shape == RGB.shape
    assert decoded_rgb(data).shape == RGB.shape


def test_of_a_gif_transparent_pixels_are_black_as_the_server_sees_them() -> None:
    frame = GifFrame(np.array([[0, 1], [1, 0]], np.uint16), left=1, transparent=1)
    palette = np.array([[200, 30, 30], [250, 240, 10]], np.uint16)
    shown = decoded_rgb(gif_file([frame], palette, screen=(3, 2)))
    np.testing.assert_array_equal(shown, gif_image(frame, palette, (3, 2)))


@pytest.mark.parametrize(
    ("picture", "error", "words"),
    [
        (RGB / 255, TypeError, "pixels are uint8, 0 to 255, not float64"),
        (RGB[0, 0], ValueError, r"not \[3\]"),
        (RGB[..., :2], ValueError, r"not \[20, 30, 2\]"),
        (RGB[:0], ValueError, r"not \[0, 30, 3\]"),
        (3, TypeError, "not int"),
        ("nowhere.png", FileNotFoundError, "nowhere.png"),
    ],
)
def test_what_is_no_picture_is_refused_before_anything_is_sent(
    picture: object, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        encoded(picture)  # type: ignore[arg-type]
