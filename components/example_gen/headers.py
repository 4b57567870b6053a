"""Headers of image files: format, size and orientation before a pixel is decoded."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from common.decompression_bomb import PNG_START, excess
from common.orientation import orientation, orientation_in_tiff
from components.example_gen.frames import check_single, webp_chunks
from components.example_gen.quarantine import Reason
from components.example_gen.rejection import RejectionError
from components.example_gen.tiff import TiffFile

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_BIG_ENDIAN_BIGTIFF = b"MM\0+"

_MAGIC = (
    (PNG_START, "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"BM", "bmp"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"II+\0", "tiff"),
    (_BIG_ENDIAN_BIGTIFF, "tiff"),
)

_SAMPLE_FORMAT, _SIGNED = 339, 2
_TILE_WIDTH, _TILE_LENGTH = 322, 323  # Of a tile of a TIFF file (TIFF 6.0, section 15).
_MAX_RLE_WIDTH = 1 << 16


class _StoredTiff(TiffImagePlugin.TiffImageFile):
    """A TIFF file that Pillow does not turn; by default it applies the orientation, also from XMP."""

    def getexif(self) -> Image.Exif:
        return Image.Exif()


# Pillow's plugins are selected by name: `Image.open` would also try those that are not needed here (one of them starts
# Ghostscript), and has its own limit on pixels, for the whole process.
_PLUGINS: dict[str, Callable[[io.BytesIO], ImageFile.ImageFile]] = {
    "png": PngImagePlugin.PngImageFile,
    "jpeg": JpegImagePlugin.JpegImageFile,
    "gif": GifImagePlugin.GifImageFile,
    "bmp": BmpImagePlugin.BmpImageFile,
    "tiff": _StoredTiff,
    "webp": WebPImagePlugin.WebPImageFile,
}


@dataclass(frozen=True)
class EncodedImage:
    """An image file whose header has been read and found within the limit; its pixels are still encoded."""

    format: str
    width: int
    """Displayed width and height: after turning it upright."""
    height: int
    orientation: int
    mode: str
    """Pillow's name of the kind of pixels."""
    raw_mode: str
    """Pillow's raw mode of the pixels in the file: `L;4` for 4-bit grey."""
    lazy: ImageFile.ImageFile
    inverted: bool = False
    """Whether the samples are white-is-zero and Pillow does not invert them."""

    @property
    def file_size(self) -> tuple[int, int]:
        """Width and height as stored, before turning."""
        return (self.height, self.width) if self.orientation >= 5 else (self.width, self.height)

    @property
    def signed(self) -> bool:
        """Whether the file declares signed samples (TIFF 6.0, section 19)."""
        kinds = self.lazy.tag_v2.get(_SAMPLE_FORMAT) if isinstance(self.lazy, _StoredTiff) else None
        return _SIGNED in kinds if isinstance(kinds, tuple) else kinds == _SIGNED

    def decode(self) -> Image.Image:
        """Decodes the first frame, upright; raises `RejectionError` if it is truncated or damaged."""
        try:
            self.lazy.load()
        except Image.DecompressionBombError as error:
            raise RejectionError(Reason.TOO_LARGE, f"a frame is larger than the header says: {error}") from error
        except Exception as error:  # A decoder may raise anything on damaged bytes.
            raise RejectionError(Reason.UNREADABLE, f"the {self.format} data cannot be decoded: {error}") from error
        upright = turn(self.lazy, self.orientation)
        return Image.fromarray(~np.asarray(upright)) if self.inverted else upright


def turn(image: Image.Image, orientation: int) -> Image.Image:
    """`image`, stored with `orientation`, made upright."""
    return image.transpose(_TURNS[orientation]) if orientation in _TURNS else image


def open_image(data: bytes, max_pixels: int) -> EncodedImage:
    """Reads the header of `data`, an image file's bytes; allocates nothing for pixels.

    Raises `RejectionError`: unsupported format, unreadable, more than `max_pixels` (width × height), or a decompression
    bomb.
    """
    kind = image_format(data)
    if kind == "webp":
        check_size(*_webp_size(data), max_pixels)  # Pillow's plugin allocates two frames when it opens a file.
    tiff = TiffFile(data) if kind == "tiff" else None
    stored = _as_stored(data, tiff)
    try:
        lazy = _PLUGINS[kind](io.BytesIO(stored))
    except Image.DecompressionBombError as error:
        raise RejectionError(Reason.TOO_LARGE, f"a frame is larger than any image may be: {error}") from error
    except Exception as error:  # A parser may raise anything on untrusted bytes.
        raise RejectionError(Reason.UNREADABLE, f"the {kind} header cannot be read: {error}") from error
    width, height = lazy.size
    check_size(width, height, max_pixels)
    _check_demands(lazy, data, kind, max_pixels)
    mode, raw_mode = lazy.mode, _raw_mode(lazy)
    check_single(data, kind)
    turned = tiff.orientation() if tiff else _orientation(data, kind)
    if turned >= 5:
        width, height = height, width
    inverted = tiff is not None and tiff.is_inverted_16_bit()
    return EncodedImage(kind, width, height, turned, mode, raw_mode, lazy, inverted)


def image_format(data: bytes) -> str:
    """Returns the format by the first bytes of a file; raises `RejectionError` if it is unknown."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    for magic, kind in _MAGIC:
        if data.startswith(magic):
            return kind
    if not data:
        raise RejectionError(Reason.UNREADABLE, "the file is empty")
    if data.startswith(b"version https://git-lfs"):
        raise RejectionError(
            Reason.UNREADABLE, "the file is a pointer of Git LFS; fetch the real ones with `git lfs pull`"
        )
    raise RejectionError(
        Reason.UNSUPPORTED_FORMAT, f"the file starts with {data[:8]!r}: not PNG, JPEG, GIF, BMP, TIFF or WebP"
    )


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Raises `RejectionError` if a size is not positive or over the limit."""
    if width < 1 or height < 1:
        raise RejectionError(Reason.UNREADABLE, f"the header says {width}×{height} pixels")
    if width * height > max_pixels:
        raise RejectionError(
            Reason.TOO_LARGE, f"{width}×{height} is {width * height} pixels, over the limit of {max_pixels}"
        )


def _check_demands(lazy: ImageFile.ImageFile, data: bytes, kind: str, max_pixels: int) -> None:
    if too_much := excess(data, kind, lazy.size[0] * lazy.size[1]):
        raise RejectionError(Reason.TOO_LARGE, too_much)
    if isinstance(lazy, TiffImagePlugin.TiffImageFile):
        # libtiff allocates whole tiles, however small the image.
        width, length = (lazy.tag_v2.get(tag, 1) for tag in (_TILE_WIDTH, _TILE_LENGTH))
        if not isinstance(width, int) or not isinstance(length, int):
            raise RejectionError(Reason.UNREADABLE, "the tiff header has invalid tile sizes")
        check_size(width, length, max_pixels)
    if kind == "bmp" and lazy.tile and lazy.tile[0][0] == "bmp_rle" and lazy.size[0] > _MAX_RLE_WIDTH:
        # Pillow's decoder fills up to 255 rows at once for four bytes, whatever the height.
        raise RejectionError(
            Reason.TOO_LARGE,
            f"a run-length-encoded bmp file may be at most {_MAX_RLE_WIDTH} pixels wide, not {lazy.size[0]}",
        )


def _webp_size(data: bytes) -> tuple[int, int]:
    """Width and height of a WebP file (RFC 9649, sections 2.5 to 2.7)."""
    kind = data[12:16]
    try:
        if kind == b"VP8X":
            low_w, high_w, low_h, high_h = struct.unpack_from("<HBHB", data, 24)
            return (low_w | high_w << 16) + 1, (low_h | high_h << 16) + 1
        if kind == b"VP8L":
            [bits] = struct.unpack_from("<I", data, 21)
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        if kind == b"VP8 ":
            width, height = struct.unpack_from("<HH", data, 26)
            return width & 0x3FFF, height & 0x3FFF
    except struct.error:
        pass
    raise RejectionError(Reason.UNREADABLE, "the webp header is cut off or damaged")


def _as_stored(data: bytes, tiff: TiffFile | None) -> bytes:
    """Returns the file as given to Pillow: it or libtiff would turn or reject some kinds of TIFF."""
    if tiff is None:
        return data
    if data.startswith(_BIG_ENDIAN_BIGTIFF):
        raise RejectionError(
            Reason.UNSUPPORTED_FORMAT,
            "the file is a big-endian BigTIFF, which Pillow does not read; write it in little-endian, or as PNG",
        )
    try:
        return tiff.as_stored()
    except ValueError as error:
        raise RejectionError(Reason.UNREADABLE, f"the tiff header cannot be read: {error}") from error


def _orientation(data: bytes, kind: str) -> int:
    """Returns the orientation in Exif data; of WebP files as Skia and Pillow read it, which WebP's own tools do not."""
    if kind == "webp":
        exif = next((content for name, content in webp_chunks(data) if name == b"EXIF"), b"")
        return orientation_in_tiff(exif)
    return orientation(data)


def _raw_mode(lazy: ImageFile.ImageFile) -> str:
    if not lazy.tile:
        return lazy.mode
    arguments = lazy.tile[0][3]
    first = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return first if isinstance(first, str) else lazy.mode
