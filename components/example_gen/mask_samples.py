"""Reads a mask's samples: grey values, palette indices or colours, by file format and type of labels.

The rules, listed as a table in docs/data.md:

- Grey files give the values that a viewer shows, in the depth of the file: white-is-zero TIFF files
  (PhotometricInterpretation 0) are inverted, 1-bit files give 0 and 1, greys of 2 and 4 bits are not stretched.
- A palette of greys gives the grey values; only an all-black palette, as written by programs that ignore
  palettes, gives the indices.  A palette with a colour gives the indices for labels of type index and values.
- Alpha, colour profiles, gamma, significant bits (PNG sBIT) and NoData (GeoTIFF) are not read; `mask_shape` refuses
  masks whose shape is in alpha.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, TiffImagePlugin

from common.plurals import counted
from components.example_gen.headers import EncodedImage
from components.example_gen.images import rgb
from components.example_gen.quarantine import Reason
from components.example_gen.rejection import RejectionError

_PHOTOMETRIC = 262  # TIFF 6.0, section 8.
_SHOWN = 6


@dataclass(frozen=True)
class PaletteUse:
    """The palette that a mask was read through, if its meaning depends on it."""

    coloured: bool
    """Whether a palette with colours gave indices; otherwise a palette of greys gave greys that differ from them."""
    colours: dict[int, int]
    """Index → colour as 0xRRGGBB, of the indices that the mask uses."""


@dataclass(frozen=True)
class MaskSamples:
    """A mask before the label map, upright."""

    samples: np.ndarray
    """[H, W] of values or greys, or [H, W, 3] of colours, as the label map reads them."""
    drawn: np.ndarray | None = None
    """[H, W] of palette indices or [H, W, 3] of colours that `samples` were made from, if different."""
    alpha_HW: npt.NDArray[np.uint8] | None = None
    """Opacity; None if all of the mask is opaque."""
    palette: PaletteUse | None = None


def read_samples(data: bytes, encoded_image: EncodedImage, wanted: str) -> MaskSamples:
    """Decodes `encoded_image`, whose file is `data`.

    `wanted` is what the label map reads: `values` [H, W], `grey` [H, W], or `rgb` [H, W, 3].  Raises `RejectionError`
    if the file is damaged or does not hold the wanted samples.
    """
    _refuse_unread(data, encoded_image, wanted)
    image = encoded_image.decode()
    if image.mode in ("P", "PA"):
        return _through_palette(image, encoded_image, wanted)
    alpha_HW = np.asarray(image.getchannel("A")) if image.mode in ("LA", "RGBA") else None
    if wanted == "values":
        return MaskSamples(_values(image, encoded_image), alpha_HW=alpha_HW)
    if wanted == "grey":
        return _greys(image, encoded_image, alpha_HW)
    return MaskSamples(_colours(image, encoded_image), alpha_HW=alpha_HW)


def is_lossy(data: bytes, encoded_image: EncodedImage) -> bool:
    """Returns whether the file's compression is lossy."""
    if encoded_image.format == "webp":
        return b"VP8L" not in data[:4096]
    return encoded_image.format == "jpeg" or encoded_image.lazy.info.get("compression") in ("jpeg", "tiff_jpeg")


def _refuse_unread(data: bytes, encoded_image: EncodedImage, wanted: str) -> None:
    """Raises `RejectionError` if Pillow would misread the file."""
    if encoded_image.mode == "LAB":
        _refuse("the mask is a TIFF file of LAB colours", "save it as grey or RGB")
    if encoded_image.mode == "CMYK" and wanted != "grey":
        _refuse("the mask is a CMYK file, whose colours depend on a profile", "save it as grey or RGB")
    if ";16" in encoded_image.raw_mode and not encoded_image.mode.startswith("I"):
        _refuse("the mask has 16 bits a channel; the lower 8 would be lost", "save it with 8 bits a channel")
    if encoded_image.format == "bmp" and encoded_image.mode in ("1", "L"):
        [bits] = struct.unpack_from("<H", data, 28)
        if bits != (1 if encoded_image.mode == "1" else 8):  # Pillow reads such a palette with the wrong depth.
            _refuse(
                f"the BMP file has {bits} bits a pixel and a palette of few greys, which decoders misread",
                "save it as PNG",
            )
    if _is_white_zero(encoded_image) and encoded_image.mode in ("I", "F"):
        _refuse("the TIFF file is white-is-zero with 32 bits, so its values are unknown", "save it as PNG")


def _refuse(detail: str, remedy: str) -> None:
    raise RejectionError(Reason.UNSUPPORTED_FORMAT, f"{detail}; {remedy}", detail, remedy)


def _is_white_zero(encoded_image: EncodedImage) -> bool:
    lazy = encoded_image.lazy
    return isinstance(lazy, TiffImagePlugin.TiffImageFile) and lazy.tag_v2.get(_PHOTOMETRIC) == 0


def _values(image: Image.Image, encoded_image: EncodedImage) -> np.ndarray:
    """Returns the values as a viewer shows them, in the depth of the file."""
    if image.mode == "1":  # A 1-bit BMP has a palette, of black and white here.
        return np.asarray(image).astype(np.uint8) * np.uint8(255 if encoded_image.format == "bmp" else 1)
    if image.mode == "L":
        return _narrow(np.asarray(image), encoded_image)
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _wide(image)
    image_HWC = np.asarray(rgb(image, encoded_image))
    value = image_HWC[..., 0]
    coloured = (image_HWC != value[..., None]).any(axis=-1)
    if coloured.any():
        red, green, blue = image_HWC[coloured][0]
        cause, remedy = "the mask is coloured, but its labels are values", "use labels of type colours"
        detail = f"{counted(int(coloured.sum()), 'pixel')}, such as #{red:02x}{green:02x}{blue:02x}"
        raise RejectionError(
            Reason.UNKNOWN_LABEL,
            f"the mask is coloured ({detail}), but its labels are values; {remedy}",
            cause,
            remedy,
        )
    return value


def _narrow(grey_HW: npt.NDArray[np.uint8], encoded_image: EncodedImage) -> np.ndarray:
    """Greys of 2, 4 and 8 bits; Pillow stretches those of 2 and 4 bits to 0…255."""
    for few_bits, step in (("L;2", 85), ("L;4", 17)):
        if encoded_image.raw_mode.startswith(few_bits):
            return grey_HW // np.uint8(step)
    return grey_HW.view(np.int8) if encoded_image.signed else grey_HW


def _wide(image: Image.Image) -> np.ndarray:
    """Greys of 16 and 32 bits, which Pillow gives as stored."""
    wide_HW = np.asarray(image)
    if not image.mode.startswith("I;16"):
        return wide_HW
    return wide_HW.astype(np.uint16, copy=False)


def _greys(image: Image.Image, encoded_image: EncodedImage, alpha_HW: npt.NDArray[np.uint8] | None) -> MaskSamples:
    """Greys 0…255, or of more bits as stored; colours as their luma (ITU-R BT.601)."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return MaskSamples(_wide(image))
    if image.mode in ("1", "L"):
        grey_HW = np.asarray(image.convert("L"))
        return MaskSamples(grey_HW.view(np.int8).astype(np.int32) if encoded_image.signed else grey_HW)
    if image.mode == "LA":
        return MaskSamples(np.asarray(image.getchannel("L")), alpha_HW=alpha_HW)
    colours = rgb(image, encoded_image)
    return MaskSamples(np.asarray(colours.convert("L")), np.asarray(colours), alpha_HW)


def _colours(image: Image.Image, encoded_image: EncodedImage) -> np.ndarray:
    """[H, W, 3] of 8 bits."""
    if image.mode.startswith("I;16"):
        wide_HW = _wide(image)
        if (wide_HW % 257).any():
            cause, remedy = "the mask has grey values of 16 bits, which are not colours", "use labels of type values"
            detail = f"{cause} (up to {wide_HW.max()}); {remedy}"
            raise RejectionError(Reason.UNKNOWN_LABEL, detail, cause, remedy)
        return np.repeat((wide_HW // 257).astype(np.uint8)[..., None], 3, axis=-1)
    return np.asarray(rgb(image, encoded_image))


def _through_palette(image: Image.Image, encoded_image: EncodedImage, wanted: str) -> MaskSamples:
    index_HW = np.asarray(image if image.mode == "P" else image.getchannel(0))
    histogram = np.bincount(index_HW.ravel(), minlength=256)
    used = np.flatnonzero(histogram).tolist()
    colours = _palette_colours(image, encoded_image)
    alpha_HW = _palette_alpha(image, index_HW)
    if wanted == "values":
        table, use = _index_meaning(colours, used)
        samples = index_HW if table is None else table[index_HW]
        return MaskSamples(samples, alpha_HW=alpha_HW, palette=use)
    if used[-1] >= len(colours):
        cause, remedy = "the mask has indices that its palette has no colour for", "use labels of type index"
        raise RejectionError(
            Reason.UNREADABLE,
            f"the mask holds index {used[-1]}, but its palette has {len(colours)} colours",
            cause,
            remedy,
        )
    colours_HW3 = colours[index_HW]
    if wanted == "grey":
        return MaskSamples(np.asarray(Image.fromarray(colours_HW3).convert("L")), index_HW, alpha_HW)
    return MaskSamples(colours_HW3, index_HW, alpha_HW)


def _palette_colours(image: Image.Image, encoded_image: EncodedImage) -> npt.NDArray[np.uint8]:
    """[entries, 3], as many as the file has."""
    palette = encoded_image.lazy.palette
    entries = len(palette.palette) // len(palette.mode) if palette is not None else 0
    flat = np.array(image.getpalette("RGB") or [], np.uint8)
    return flat.reshape(-1, 3)[:entries]


def _palette_alpha(image: Image.Image, index_HW: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8] | None:
    if image.mode == "PA":
        return np.asarray(image.getchannel(1))
    transparency = image.info.get("transparency")
    table = np.full(256, 255, np.uint8)
    if isinstance(transparency, bytes):
        table[: len(transparency)] = list(transparency[:256])
    elif isinstance(transparency, int) and 0 <= transparency < 256:
        table[transparency] = 0
    return None if (table == 255).all() else table[index_HW]


def _index_meaning(
    colours: npt.NDArray[np.uint8], used: list[int]
) -> tuple[npt.NDArray[np.uint8] | None, PaletteUse | None]:
    """Returns the greys that indices stand for if values are wanted, or None for the indices themselves.

    The whole palette decides, not the colours in use: a mask of one class is read like others with the same
    palette.
    """
    packed = {i: int.from_bytes(colours[i].tobytes(), "big") for i in used if i < len(colours)}
    if (colours != colours[:, :1]).any():
        return None, PaletteUse(True, packed)
    if not colours.any():
        return None, None
    beyond = [index for index in used if index >= len(colours)]
    greys = [int(colours[index, 0]) for index in packed]
    if greys == list(packed):
        return None, None
    if beyond or len(set(greys)) < len(greys):
        shown = ", ".join(str(index) for index in used[:_SHOWN])
        cause = "some indices of the mask have the same grey, or none, in its palette"
        remedy = "save it as 8-bit grey, with the class as the value"
        raise RejectionError(Reason.HIDDEN_SHAPE, f"{cause} ({shown}); {remedy}", cause, remedy)
    table = np.zeros(256, np.uint8)
    table[list(packed)] = greys
    return table, PaletteUse(False, packed)
