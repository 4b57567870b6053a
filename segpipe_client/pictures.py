"""Images in the forms that apps hold, as the encoded bytes that the server takes."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image

from .bands import Bands, as_rgb, is_encoded
from .orientation import orientation_in_exif, orientation_of, turned

Picture = str | os.PathLike[str] | bytes | BinaryIO | npt.NDArray[np.uint8] | Image.Image | Bands
"""A file's path, its bytes (JPEG, PNG, GIF, BMP), the open file, pixels [H, W, 3] or [H, W], a Pillow image, bands."""

_IN_PNG = ("1", "L", "LA", "P", "RGB", "RGBA")
_PREMULTIPLIED = {"La": "LA", "RGBa": "RGBA", "PA": "RGBA"}
_NO_PATH = re.compile(r"(?:data:|(?:https?|s3|gs|ftp)://)", re.IGNORECASE)
_LONGEST_PATH = 4096
_REMEDIES = {
    "b": "pixels.astype(np.uint8) * 255",
    "u": "(pixels >> 8).astype(np.uint8), if they use all 16 bits",
    "i": "pixels.astype(np.uint8), if they lie in 0 to 255",
    "f": "np.rint(255 * pixels).astype(np.uint8), if they lie in 0 to 1",
}
_OR_BANDS = "; a model for images of bands takes segpipe_client.Bands(pixels)"


def encoded(picture: Picture) -> bytes:
    """The image as a file's bytes: files as they are, pixels as PNG; a Pillow image upright, as its Exif data says.

    What a PNG can hold of a Pillow image (16 bits, alpha, a palette) is sent as it is, so that the server sees what it
    would see in such a file.

    Raises:
        OSError: the file cannot be read.
        TypeError, ValueError: it is not an image, or its pixels have no certain range.
    """
    if isinstance(picture, bytes | bytearray | memoryview):
        return bytes(picture)
    if isinstance(picture, str | os.PathLike):
        return _path(picture).read_bytes()
    if isinstance(picture, Bands):
        return picture.encoded()
    if isinstance(picture, np.ndarray):
        return _png(_image(picture))
    if isinstance(picture, Image.Image):
        return _png(turned(picture, _orientation(picture)))
    if hasattr(picture, "read"):
        return _read(picture)
    raise TypeError(
        "an image is a path, bytes, an open file, a NumPy array or a Pillow image, "
        f"not {type(picture).__name__}" + ("; predict_many takes several" if isinstance(picture, list | tuple) else "")
    )


def decoded_rgb(picture: bytes) -> npt.NDArray[np.uint8]:
    """The pixels [H, W, 3] as the server sees them: upright, the first frame, the high byte of 16 bits.

    A GIF's transparent pixels are black.  Of bands the first three are shown.

    Raises:
        OSError: Pillow cannot decode it.
    """
    if is_encoded(picture):
        return as_rgb(picture)
    with Image.open(io.BytesIO(picture)) as image:
        if image.format == "GIF":
            black = Image.new("RGBA", image.size, (0, 0, 0, 255))
            return np.asarray(Image.alpha_composite(black, image.convert("RGBA")).convert("RGB"))
        narrow = _eight_bits(image)
        is_translucent = narrow.mode == "P" and isinstance(narrow.info.get("transparency"), bytes)
        colours = (narrow.convert("RGBA") if is_translucent else narrow).convert("RGB")
        return np.asarray(turned(colours, orientation_of(picture)))


def _orientation(image: Image.Image) -> int:
    """How an image that Pillow has opened must be turned: as the server would turn its file."""
    exif = image.info.get("exif")
    return orientation_in_exif(exif.removeprefix(b"Exif\0\0")) if isinstance(exif, bytes) else 1


def _path(path: str | os.PathLike[str]) -> Path:
    """The path that a text means.

    Raises:
        ValueError: it is an address, or the file's content as text.
    """
    text = os.fspath(path)
    if isinstance(path, str) and _NO_PATH.match(text):
        raise ValueError(f"{text[:40]!r} is an address, not a file: download it, and give its bytes")
    if len(text) > _LONGEST_PATH:
        raise ValueError(f"a text of {len(text)} characters is not a path; of base64, give base64.b64decode(text)")
    return Path(path)


def _read(file: BinaryIO) -> bytes:
    content = file.read()
    if not isinstance(content, bytes):
        raise TypeError("the file is open for text: open it with mode 'rb'")
    return content


def _image(pixels: npt.NDArray[np.uint8]) -> Image.Image:
    if pixels.dtype != np.uint8:
        remedy = _REMEDIES.get(pixels.dtype.kind)
        raise TypeError(
            f"pixels are uint8, 0 to 255, not {pixels.dtype}" + (f"; give {remedy}" if remedy else "") + _OR_BANDS
        )
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] not in (1, 3, 4)) or 0 in pixels.shape:
        raise ValueError(f"pixels have the shape [H, W, 3] or [H, W], not {list(pixels.shape)}")
    return Image.fromarray(pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels)


def _png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    # Neither Exif data nor a profile: the image is upright already, and the server looks at no profile. The network
    # costs less than zlib's best.
    _as_png_mode(image).save(out, "PNG", compress_level=1, exif=b"", icc_profile=None)
    return out.getvalue()


def _as_png_mode(image: Image.Image) -> Image.Image:
    """The image in a mode that PNG has.

    Raises:
        ValueError: its mode has no certain range, or none that Pillow turns into RGB.
    """
    if image.mode in _IN_PNG:
        return image
    if image.mode.startswith("I;16") or _is_wide_grey(image):
        values_HW = np.asarray(image).astype(np.uint16)
        return Image.frombytes("I;16", image.size, values_HW.astype("<u2").tobytes())
    if image.mode in ("I", "F"):
        raise ValueError(
            f"a Pillow image of mode {image.mode} has pixels of 32 bits, whose range is not known: scale them to 0 to "
            "255 and give np.uint8, such as Image.fromarray(np.rint(255 * values / values.max()).astype(np.uint8))"
        )
    try:
        return image.convert(_PREMULTIPLIED.get(image.mode, "RGB"))
    except ValueError:
        raise ValueError(f"Pillow cannot convert the mode {image.mode} to RGB: convert the image before") from None


def _is_wide_grey(image: Image.Image) -> bool:
    """Whether the image is a 16-bit PNG as Pillow opened it before version 11, in the mode I."""
    return image.mode == "I" and getattr(image, "format", None) == "PNG"


def _eight_bits(image: Image.Image) -> Image.Image:
    """The image with the high byte of its 16-bit pixels, as TensorFlow's decoder gives it."""
    if not (image.mode.startswith("I;16") or _is_wide_grey(image)):
        return image
    return Image.fromarray((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8))
