"""Pictures in the forms that apps hold, as the encoded bytes that the server takes."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from .orientation import orientation_in_exif, orientation_of, turned

Picture = str | os.PathLike[str] | bytes | npt.NDArray[np.uint8] | Image.Image
"""A file's path, a file's bytes (JPEG, PNG, GIF, BMP), pixels [H, W, 3] or [H, W], or a Pillow image."""


def encoded(picture: Picture) -> bytes:
    """The picture as a file's bytes: files as they are, pixels as PNG; a Pillow image upright, as its Exif data says.

    Raises:
        OSError: the file cannot be read.
        TypeError, ValueError: it is no picture.
    """
    if isinstance(picture, bytes | bytearray | memoryview):
        return bytes(picture)
    if isinstance(picture, str | os.PathLike):
        return Path(picture).read_bytes()
    if isinstance(picture, np.ndarray):
        return _png(_image(picture))
    if isinstance(picture, Image.Image):
        return _png(turned(picture, _orientation(picture)))
    raise TypeError(f"a picture is a path, bytes, a NumPy array or a Pillow image, not {type(picture).__name__}")


def decoded_rgb(picture: bytes) -> npt.NDArray[np.uint8]:
    """The pixels [H, W, 3] as the server sees them: upright, the first frame, a GIF's transparent pixels black.

    Raises:
        OSError: Pillow cannot decode it.
    """
    with Image.open(io.BytesIO(picture)) as image:
        if image.format == "GIF":
            black = Image.new("RGBA", image.size, (0, 0, 0, 255))
            return np.asarray(Image.alpha_composite(black, image.convert("RGBA")).convert("RGB"))
        return np.asarray(turned(image.convert("RGB"), orientation_of(picture)))


def _orientation(image: Image.Image) -> int:
    """How an image that Pillow has opened must be turned: as the server would turn its file."""
    exif = image.info.get("exif")
    return orientation_in_exif(exif.removeprefix(b"Exif\0\0")) if isinstance(exif, bytes) else 1


def _image(pixels: npt.NDArray[np.uint8]) -> Image.Image:
    if pixels.dtype != np.uint8:
        raise TypeError(f"pixels are uint8, 0 to 255, not {pixels.dtype}")
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] not in (1, 3, 4)) or 0 in pixels.shape:
        raise ValueError(f"pixels have the shape [H, W, 3] or [H, W], not {list(pixels.shape)}")
    return Image.fromarray(pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels)


def _png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    # Without `exif` none is written, and the picture is upright already; the network costs less than zlib's best.
    (image if image.mode in ("L", "RGB") else image.convert("RGB")).save(out, "PNG", compress_level=1, exif=b"")
    return out.getvalue()
