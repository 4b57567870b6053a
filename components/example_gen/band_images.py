"""Converts an image file to the bands of a record, at full depth and without loss (`data.bands`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from common import records
from common.band_image import pack_bands
from components.example_gen.bands_config import BandsConfig
from components.example_gen.headers import image_format, open_image
from components.example_gen.images import CanonicalImage
from components.example_gen.quarantine import Reason
from components.example_gen.rejection import RejectionError
from components.example_gen.tiff_samples import StoredSamples, check_count, read_tiff

_Image = npt.NDArray[Any]
_TURNS: dict[int, Callable[[_Image], _Image]] = {
    2: np.fliplr,
    3: lambda image: np.rot90(image, 2),
    4: np.flipud,
    5: lambda image: image.swapaxes(0, 1),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: np.rot90(image, 2).swapaxes(0, 1),
    8: np.rot90,
}
_PNG_BITS, _PNG_COLOUR = 24, 25  # Positions in the file (PNG, third edition, 11.2.1).
_PNG_SAMPLES = {0: 1, 2: 3, 4: 2, 6: 4}
"""PNG's colour type → samples of a pixel; a palette (3) has none."""
_PNG_TYPES = {8: tf.uint8, 16: tf.uint16}


def canonical_bands(data: bytes, bands: BandsConfig, max_pixels: int) -> CanonicalImage:
    """Converts the image file `data` to the bands that `bands` picks; raises `RejectionError` if it cannot be used."""
    kind = image_format(data)
    if kind not in ("png", "tiff"):
        cause = f"the file is a {kind}, and data.bands reads PNG and TIFF"
        raise RejectionError(Reason.UNSUPPORTED_FORMAT, cause, cause, "convert it, or leave data.bands out")
    stored = (_read_png if kind == "png" else read_tiff)(data, len(bands.names), max_pixels)
    height, width, _ = stored.samples_HWB.shape
    image_HWC = _at_depth(stored.samples_HWB[..., bands.places], bands.depth)
    image_HWC = np.ascontiguousarray(_TURNS.get(stored.orientation, np.asarray)(image_HWC))
    return CanonicalImage(pack_bands(image_HWC), records.BANDS_FORMAT, image_HWC, (width, height), stored.orientation)


def _read_png(data: bytes, bands: int, max_pixels: int) -> StoredSamples:
    encoded_image = open_image(data, max_pixels)
    samples, dtype = _PNG_SAMPLES.get(data[_PNG_COLOUR]), _PNG_TYPES.get(data[_PNG_BITS])
    if samples is None or dtype is None:
        found = "a palette" if samples is None else f"{data[_PNG_BITS]} bits"
        raise RejectionError(
            Reason.UNSUPPORTED_FORMAT, f"the png file has {found}; data.bands reads samples of 8 and 16 bits"
        )
    check_count(samples, bands)
    try:
        image_HWC = tf.io.decode_png(data, channels=samples, dtype=dtype).numpy()
    except tf.errors.OpError as error:
        raise RejectionError(Reason.UNREADABLE, f"the png data cannot be decoded: {error.message}") from error
    return StoredSamples(image_HWC, encoded_image.orientation)


def _at_depth(image_HWC: _Image, depth: str) -> _Image:
    """Returns the image in the type `depth`; raises `RejectionError` if a sample would change or is not finite."""
    wanted = np.dtype(depth)
    if image_HWC.dtype != wanted and wanted.kind != "f":
        cause = f"the file has {image_HWC.dtype} samples, and data.bands.depth is {depth}"
        raise RejectionError(
            Reason.UNSUPPORTED_FORMAT, cause, cause, "set the depth that the files have, or convert it"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        converted = image_HWC.astype(wanted)
        if not np.isfinite(converted).all():
            cause = "some samples are not finite numbers"
            raise RejectionError(Reason.UNSUPPORTED_FORMAT, cause, cause, "replace NaN and infinity by a number")
        if not np.array_equal(converted.astype(image_HWC.dtype), image_HWC):
            cause = f"the file has {image_HWC.dtype} samples that float32 does not hold exactly"
            raise RejectionError(Reason.UNSUPPORTED_FORMAT, cause, cause, "save it as float32")
    return converted
