"""From an image file's bytes to the bytes that a record holds, and to the pixels that the model will see in them.

A JPEG, PNG or BMP stays as it is if TensorFlow decodes it and if it stands upright; anything else becomes a PNG.  The
decoder is TensorFlow's own, as in the transform graph and in serving, for every format that the endpoint takes, and so
is the reading of the orientation: a record holds the pixels that the served graph makes of the file.  TensorFlow drops
alpha and takes the high byte of 16-bit samples; the way through Pillow does the same.  docs/data.md has the table.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from PIL import Image

from common.orientation import UPRIGHT
from components.example_gen.gif import frame_in_corner, frames_of, on_screen
from components.example_gen.headers import Picture, open_picture, turn
from components.example_gen.quarantine import Reason
from components.example_gen.rejection import Rejected

# Files grow by some percent against zlib's default level, and are written in a third of the time.
PNG_LEVEL = 3


@dataclass(frozen=True)
class CanonicalImage:
    """An image as a record holds it."""

    encoded: bytes
    format: str
    image_HWC: npt.NDArray[np.uint8]
    """RGB, upright."""
    file_size: tuple[int, int]
    """Width and height as stored in the file that came in, before it was turned upright."""
    orientation: int
    """How the file that came in was turned (Exif)."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        height, width, _ = self.image_HWC.shape
        return width, height


def canonical_image(data: bytes, max_pixels: int) -> CanonicalImage:
    """The image in `data`, a file's bytes, made fit for TensorFlow; raises `Rejected` where it cannot be."""
    picture = open_picture(data, max_pixels)
    stored_HWC = _as_served(data, picture)
    if stored_HWC is not None and picture.orientation == UPRIGHT and picture.format != "gif":
        return CanonicalImage(data, picture.format, stored_HWC, picture.file_size, UPRIGHT)
    image = (
        rgb(picture.decode(), picture) if stored_HWC is None else turn(Image.fromarray(stored_HWC), picture.orientation)
    )
    return CanonicalImage(png(image), "png", np.asarray(image), picture.file_size, picture.orientation)


def rgb(image: Image.Image, picture: Picture) -> Image.Image:
    """`image`, decoded from `picture`, in RGB of 8 bits; alpha is dropped, not blended."""
    if image.mode in ("I", "F") or picture.signed:
        raise Rejected(
            Reason.UNSUPPORTED_FORMAT,
            f"the {picture.format} file has samples of 32 bits or with a sign, whose range is not known; "
            "write 8 or 16 bits without a sign",
        )
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    try:
        return image.convert("RGB")
    except ValueError as error:
        raise Rejected(Reason.UNSUPPORTED_FORMAT, f"the {picture.format} file cannot be shown: {error}") from error


def png(image: Image.Image) -> bytes:
    """`image` as the bytes of a PNG file, without any of its metadata."""
    image.info.clear()
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=PNG_LEVEL)
    return buffer.getvalue()


def _as_served(data: bytes, picture: Picture) -> npt.NDArray[np.uint8] | None:
    """The pixels that the served graph sees in the file, as stored; None where it decodes no such file."""
    if picture.format == "gif":
        image_HWC = _decode_gif(data)
    elif picture.format in ("jpeg", "png") or (picture.format == "bmp" and _plain_bmp(data)):
        try:
            image_HWC = _decode(data, picture)
        except tf.errors.OpError:
            return None
    else:
        return None
    _check_same_size(image_HWC.shape, picture)
    return image_HWC


def _decode(data: bytes, picture: Picture) -> npt.NDArray[np.uint8]:
    if picture.format == "jpeg":  # Its decoder reads a header of its own; only Pillow's size is within the limit.
        _check_same_size(tf.io.extract_jpeg_shape(data).numpy(), picture)
    return tf.io.decode_image(data, channels=3, expand_animations=False).numpy()


def _decode_gif(data: bytes) -> npt.NDArray[np.uint8]:
    """The pixels of a GIF file with one frame; Pillow would show the colour that lies under transparent pixels."""
    frames = frames_of(data)
    try:
        frame_HWC = tf.io.decode_image(frame_in_corner(data, frames), channels=3, expand_animations=False).numpy()
    except tf.errors.OpError as error:
        raise Rejected(Reason.UNREADABLE, f"the gif data cannot be decoded: {_words(error)}") from error
    return on_screen(frame_HWC, data, frames)


def _words(error: tf.errors.OpError) -> str:
    """What a decoder says, without the names of TensorFlow's functions around it."""
    return str(error.message).rsplit("}} ", 1)[-1].split(" [Op:", 1)[0]


def _check_same_size(shape: Sequence[int], picture: Picture) -> None:
    """Raises `Rejected` where TensorFlow finds another size than Pillow, whose size is known to be within the limit."""
    width, height = picture.file_size
    if tuple(shape[:2]) != (height, width):
        raise Rejected(
            Reason.UNREADABLE,
            f"the {picture.format} file says two sizes: {width}×{height} and {shape[1]}×{shape[0]} pixels",
        )


def _plain_bmp(data: bytes) -> bool:
    """Whether a BMP file has 24 bits a pixel, uncompressed: TensorFlow takes palette indices for greys."""
    if len(data) < 34:
        return False
    header_size, _, _, _, bits, compression = struct.unpack_from("<IiiHHI", data, 14)
    return header_size >= 40 and bits == 24 and compression == 0
