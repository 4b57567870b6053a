"""Converts an image file's bytes to the bytes of a record, and to the pixels that the model will see.

A JPEG, PNG or BMP stays as it is if TensorFlow decodes it and if it stands upright; anything else becomes a PNG.  The
decoder is TensorFlow's own, as in the transform graph and in serving, for every format that the endpoint takes, and so
is the reading of the orientation: a record holds the pixels that the served graph makes of the file.  TensorFlow drops
alpha and takes the high byte of 16-bit samples; the path through Pillow does the same.  docs/data.md has the table.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from PIL import Image

from common.orientation import UPRIGHT
from components.example_gen.gif import frame_in_corner, frames_of, on_screen
from components.example_gen.headers import EncodedImage, open_image, turn
from components.example_gen.quarantine import Reason
from components.example_gen.rejection import RejectionError

# Files are some percent larger than at zlib's default level, and written in a third of the time.
PNG_LEVEL = 3


@dataclass(frozen=True)
class CanonicalImage:
    """An image as a record holds it."""

    encoded: bytes
    format: str
    image_HWC: npt.NDArray[Any]
    """Upright: RGB, uint8, or with `data.bands` the bands at their depth."""
    file_size: tuple[int, int]
    """Width and height as stored in the original file, before it was turned upright."""
    orientation: int
    """Exif orientation of the original file."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        height, width, _ = self.image_HWC.shape
        return width, height


def canonical_image(data: bytes, max_pixels: int) -> CanonicalImage:
    """Converts the image file `data` for TensorFlow; raises `RejectionError` if that is not possible."""
    encoded_image = open_image(data, max_pixels)
    stored_HWC = _as_served(data, encoded_image)
    if stored_HWC is not None and encoded_image.orientation == UPRIGHT and encoded_image.format != "gif":
        return CanonicalImage(data, encoded_image.format, stored_HWC, encoded_image.file_size, UPRIGHT)
    image = (
        rgb(encoded_image.decode(), encoded_image)
        if stored_HWC is None
        else turn(Image.fromarray(stored_HWC), encoded_image.orientation)
    )
    return CanonicalImage(png(image), "png", np.asarray(image), encoded_image.file_size, encoded_image.orientation)


def rgb(image: Image.Image, encoded_image: EncodedImage) -> Image.Image:
    """`image`, decoded from `encoded_image`, in RGB of 8 bits; alpha is dropped, not blended."""
    if image.mode in ("I", "F") or encoded_image.signed:
        raise RejectionError(
            Reason.UNSUPPORTED_FORMAT,
            f"the {encoded_image.format} file has 32-bit or signed samples, whose range is unknown; "
            "save it with 8 or 16 unsigned bits",
        )
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    try:
        return image.convert("RGB")
    except ValueError as error:
        raise RejectionError(
            Reason.UNSUPPORTED_FORMAT, f"the {encoded_image.format} file cannot be converted to RGB: {error}"
        ) from error


def png(image: Image.Image) -> bytes:
    """`image` as the bytes of a PNG file, without any of its metadata."""
    image.info.clear()
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=PNG_LEVEL)
    return buffer.getvalue()


def _as_served(data: bytes, encoded_image: EncodedImage) -> npt.NDArray[np.uint8] | None:
    """Returns the pixels that the served graph decodes, as stored; None if it does not decode this format."""
    if encoded_image.format == "gif":
        image_HWC = _decode_gif(data)
    elif encoded_image.format in ("jpeg", "png") or (encoded_image.format == "bmp" and _plain_bmp(data)):
        try:
            image_HWC = _decode(data, encoded_image)
        except tf.errors.OpError:
            return None
    else:
        return None
    _check_same_size(image_HWC.shape, encoded_image)
    return image_HWC


def _decode(data: bytes, encoded_image: EncodedImage) -> npt.NDArray[np.uint8]:
    if (
        encoded_image.format == "jpeg"
    ):  # TensorFlow reads the header again; only Pillow's size was checked against the limit.
        _check_same_size(tf.io.extract_jpeg_shape(data).numpy(), encoded_image)
    return tf.io.decode_image(data, channels=3, expand_animations=False).numpy()


def _decode_gif(data: bytes) -> npt.NDArray[np.uint8]:
    """Decodes a GIF file with one frame; Pillow would show the colour under transparent pixels."""
    frames = frames_of(data)
    try:
        frame_HWC = tf.io.decode_image(frame_in_corner(data, frames), channels=3, expand_animations=False).numpy()
    except tf.errors.OpError as error:
        raise RejectionError(Reason.UNREADABLE, f"the gif data cannot be decoded: {_words(error)}") from error
    return on_screen(frame_HWC, data, frames)


def _words(error: tf.errors.OpError) -> str:
    """Returns a decoder's message without the names of TensorFlow's functions."""
    return str(error.message).rsplit("}} ", 1)[-1].split(" [Op:", 1)[0]


def _check_same_size(shape: Sequence[int], encoded_image: EncodedImage) -> None:
    """Raises `RejectionError` if TensorFlow's size differs from Pillow's, which was checked against the limit."""
    width, height = encoded_image.file_size
    if tuple(shape[:2]) != (height, width):
        raise RejectionError(
            Reason.UNREADABLE,
            f"the {encoded_image.format} file states two sizes: {width}×{height} and {shape[1]}×{shape[0]} pixels",
        )


def _plain_bmp(data: bytes) -> bool:
    """Returns whether a BMP file is uncompressed with 24 bits a pixel: TensorFlow misreads palette indices as greys."""
    if len(data) < 34:
        return False
    header_size, _, _, _, bits, compression = struct.unpack_from("<IiiHHI", data, 14)
    return header_size >= 40 and bits == 24 and compression == 0
