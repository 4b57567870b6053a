"""From an image file's bytes to the bytes that a record holds, and to the pixels that the model will see in them.

A file stays as it is if TensorFlow decodes it and if it stands upright; anything else becomes a PNG.  The decoder that
decides is TensorFlow's own, as in the transform graph and in serving, so that nothing that passes here fails there,
and the statistics speak about the very pixels of training.  It drops alpha and takes the high byte of 16-bit samples;
the way through Pillow does the same.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from PIL import Image

from components.example_gen.headers import Picture, open_picture
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
    image_HWC = _decode_as_is(data, picture)
    if image_HWC is not None:
        return CanonicalImage(data, picture.format, image_HWC, picture.file_size, picture.orientation)
    image = rgb(picture.decode(), picture)
    return CanonicalImage(png(image), "png", np.asarray(image), picture.file_size, picture.orientation)


def rgb(image: Image.Image, picture: Picture) -> Image.Image:
    """`image`, decoded from `picture`, in RGB of 8 bits; alpha is dropped, not blended."""
    if image.mode in ("I", "F"):
        raise Rejected(
            Reason.UNSUPPORTED_FORMAT,
            f"the {picture.format} file has 32-bit samples, whose range is not known; write 8 or 16 bits",
        )
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    return image.convert("RGB")


def png(image: Image.Image) -> bytes:
    """`image` as the bytes of a PNG file, without any of its metadata."""
    image.info.clear()
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=PNG_LEVEL)
    return buffer.getvalue()


def _decode_as_is(data: bytes, picture: Picture) -> npt.NDArray[np.uint8] | None:
    """The pixels that TensorFlow sees in the file, or None where it sees none or not the right ones."""
    upright = picture.orientation == 1  # TensorFlow ignores Exif.
    if not upright or not (picture.format in ("jpeg", "png") or (picture.format == "bmp" and _plain_bmp(data))):
        return None
    try:
        if picture.format == "jpeg" and tuple(tf.io.extract_jpeg_shape(data).numpy()[:2]) != (
            picture.height,
            picture.width,
        ):
            return None  # libjpeg sees another header than Pillow, whose size was found within the limit.
        image_HWC = tf.io.decode_image(data, channels=3, expand_animations=False).numpy()
    except tf.errors.OpError:
        return None
    return image_HWC if image_HWC.shape[:2] == (picture.height, picture.width) else None


def _plain_bmp(data: bytes) -> bool:
    """Whether a BMP file has 24 bits a pixel, uncompressed: TensorFlow takes palette indices for greys."""
    if len(data) < 34:
        return False
    header_size, _, _, _, bits, compression = struct.unpack_from("<IiiHHI", data, 14)
    return header_size >= 40 and bits == 24 and compression == 0
