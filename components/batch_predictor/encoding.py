"""Encodes an image file for the model, and finds its size before a pixel is decoded."""

from __future__ import annotations

import io
import struct
from typing import NamedTuple

from PIL import Image

from common.band_image import MAGIC, for_request, is_band_image, pack_plain
from common.decompression_bomb import PNG_START, TOO_MUCH_DATA, inflates_too_far
from components.batch_predictor.origin import ModelFacts
from components.example_gen.band_images import canonical_bands
from components.example_gen.georeference import read_georeference
from components.example_gen.rejection import RejectionError

_SCENES = "`segpipe predict` reads scenes of any size by windows, with a model that slides its window"


class EncodedImage(NamedTuple):
    """The bytes that the model takes, and the number of pixels by the header; None if the header is not readable."""

    data: bytes
    pixels: int | None


class RejectedImageError(Exception):
    """An image that is not predicted; its text is the reason."""


def encode_file(data: bytes, model: ModelFacts) -> EncodedImage:
    """Returns the image in a file as `segpipe predict` sends it to the model.

    Raises:
        RejectedImageError: the model does not take such a file.
    """
    if model.bands is None:
        return _encode_rgb(data)
    try:
        packed = pack_plain(canonical_bands(data, model.bands, model.max_pixels).image_HWC)
    except RejectionError as rejected:
        more = f"; {_SCENES}" if read_georeference(data) is not None else ""
        raise RejectedImageError(f"{rejected.detail}{more}") from None
    return EncodedImage(packed, _pixels_of_bands(packed))


def encode_record(data: bytes) -> EncodedImage:
    """Returns the image of a record as the model takes it."""
    if is_band_image(data):
        packed = for_request(data)
        return EncodedImage(packed, _pixels_of_bands(packed))
    return EncodedImage(data, _pixels(data))


def _encode_rgb(data: bytes) -> EncodedImage:
    if read_georeference(data) is not None:
        raise RejectedImageError(f"it is a GeoTIFF, and a batch reads JPEG, PNG, GIF and BMP: {_SCENES}")
    pixels = _pixels(data)
    if data.startswith(PNG_START) and pixels is not None and inflates_too_far(data, pixels):
        raise RejectedImageError(TOO_MUCH_DATA)
    return EncodedImage(data, pixels)


def _pixels(data: bytes) -> int | None:
    """Returns width × height by the header; None if Pillow does not read it."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return image.width * image.height
    except Exception:  # noqa: BLE001  # A parser may raise anything; the model says what is wrong with the file.
        return None


def _pixels_of_bands(packed: bytes) -> int:
    _, height, width, _ = struct.unpack_from("<4I", packed, len(MAGIC) + 1)
    return int(height) * int(width)
