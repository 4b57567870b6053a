"""Pictures as apps hold them, and the bytes that are sent."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from common.orientation import orientation
from segpipe_client.pictures import decoded_rgb, encoded
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


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV"])
def test_a_pillow_image_of_any_mode_is_sent_as_it_looks(mode: str) -> None:
    image = Image.fromarray(RGB).convert(mode)
    np.testing.assert_array_equal(decoded_rgb(encoded(image)), np.asarray(image.convert("RGB")))


def test_an_open_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_bytes(b"bytes")
    with (tmp_path / "picture.png").open("rb") as file:
        assert encoded(file) == b"bytes"


GREY_16 = np.random.default_rng(3).integers(0, 65536, [20, 30]).astype(np.uint16)
PALETTE = Image.fromarray(RGB).quantize(16)


@pytest.mark.parametrize(
    ("image", "options"),
    [
        (Image.fromarray(GREY_16), {}),
        (Image.fromarray(np.dstack([RGB, RGB[..., 0]])), {}),
        (Image.fromarray(np.dstack([RGB, RGB[..., 0]])).convert("LA"), {}),
        (Image.fromarray(RGB), {"transparency": tuple(RGB[0, 0])}),
        (PALETTE, {}),
        (PALETTE, {"transparency": bytes([0, 128] + [255] * 14)}),
        (Image.fromarray(RGB).convert("1"), {}),
    ],
    ids=["16 bit", "RGBA", "LA", "RGB tRNS", "palette", "palette tRNS", "1 bit"],
)
def test_a_file_its_pillow_image_and_the_overlay_have_the_pixels_that_tensorflow_decodes(
    image: Image.Image, options: dict[str, object]
) -> None:
    import tensorflow as tf

    data = file_of(image, "PNG", **options)
    served_HWC = tf.io.decode_image(data, channels=3, expand_animations=False).numpy()
    with Image.open(io.BytesIO(data)) as opened:
        sent = encoded(opened)
    np.testing.assert_array_equal(tf.io.decode_image(sent, channels=3).numpy(), served_HWC)
    np.testing.assert_array_equal(decoded_rgb(data), served_HWC)
    np.testing.assert_array_equal(decoded_rgb(sent), served_HWC)


def test_sixteen_bits_of_the_other_byte_order_are_the_same_image() -> None:
    swapped = Image.frombytes("I;16B", (30, 20), GREY_16.astype(">u2").tobytes())
    np.testing.assert_array_equal(decoded_rgb(encoded(swapped))[..., 0], GREY_16 >> 8)


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
        (RGB / 255, TypeError, r"pixels are uint8, 0 to 255, not float64; give np.rint\(255"),
        (RGB > 9, TypeError, "not bool; give"),
        (RGB.astype(np.uint16), TypeError, r"not uint16; give \(pixels >> 8\)"),
        (RGB.astype(np.int64), TypeError, "not int64; give"),
        (Image.fromarray(RGB).convert("L").convert("I"), ValueError, "mode I has pixels of 32 bits.* scale them"),
        (Image.fromarray(RGB).convert("F"), ValueError, "mode F has pixels of 32 bits.* scale them"),
        ([], TypeError, "not list; predict_many takes several"),
        ("https://example.org/cat.jpg", ValueError, "is an address, not a file"),
        ("data:image/png;base64,AAAA", ValueError, "is an address, not a file"),
        ("iVBORw0KGgo" * 1000, ValueError, "is not a path; of base64, give base64"),
        (io.StringIO("x"), TypeError, "open it with mode 'rb'"),
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
