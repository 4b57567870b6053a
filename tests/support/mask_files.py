"""Mask files of every kind that ingestion reads, each with what was written into it."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from tests.support.data_set import encode, raw_png

WHITES = {1: 1, 2: 3, 4: 15, 8: 255, 16: 65_535}
PALETTES = {
    "identity": [(i, i, i) for i in range(4)],
    "black and white": [(0, 0, 0), (255, 255, 255), (1, 1, 1), (2, 2, 2)],
    "white and black": [(255, 255, 255), (0, 0, 0), (9, 9, 9), (8, 8, 8)],
    "three greys": [(0, 0, 0), (128, 128, 128), (255, 255, 255), (64, 64, 64)],
    "colours": [(0, 0, 0), (255, 0, 0), (0, 255, 0), (255, 255, 255)],
    "other colours": [(0, 255, 0), (0, 0, 0), (255, 0, 0), (7, 7, 7)],
    "all black": [(0, 0, 0)] * 4,
    "two greys alike": [(0, 0, 0), (128, 128, 128), (128, 128, 128), (64, 64, 64)],
}
INKS = [(0, 0, 0), (255, 0, 0), (0, 255, 0), (255, 255, 255), (0, 0, 255), (1, 1, 1)]


@dataclass(frozen=True)
class MaskFile:
    """A mask file and what a viewer shows of it, upright."""

    data: bytes
    what: str
    grey_HW: np.ndarray | None = None
    """Values of a grey file, in its own depth."""
    bits: int = 8
    index_HW: np.ndarray | None = None
    palette: tuple[tuple[int, int, int], ...] = ()
    colour_HW3: np.ndarray | None = None
    alpha_HW: np.ndarray | None = None
    lossy: bool = False

    def shown(self) -> np.ndarray:
        """[H, W, 4] as a viewer shows it: colours of 8 bits and opacity, colours of hidden pixels left out."""
        if self.colour_HW3 is not None:
            colours = self.colour_HW3
        elif self.index_HW is not None:
            colours = np.array(self.palette, np.uint8)[self.index_HW]
        else:
            assert self.grey_HW is not None
            grey = np.round(self.grey_HW / WHITES[self.bits] * 65_535)
            colours = np.repeat(grey[..., None], 3, -1)
        alpha = np.full(colours.shape[:2], 255) if self.alpha_HW is None else self.alpha_HW
        return np.concatenate([colours * (alpha[..., None] > 0), alpha[..., None]], -1)


def raw_tiff(
    pixels_HW: np.ndarray, bits: int, photometric: int = 1, sample_format: int = 1, colour_map: list[int] | None = None
) -> bytes:
    """An uncompressed TIFF file of one channel, of `pixels_HW` as stored (TIFF 6.0, sections 3 to 5)."""
    height, width = pixels_HW.shape
    if bits < 8:
        planes = (pixels_HW[..., None] >> np.arange(bits - 1, -1, -1)) & 1
        body = np.packbits(planes.reshape(height, -1).astype(np.uint8), axis=1).tobytes()
    else:
        body = (
            pixels_HW.astype({8: "u1", 16: "<u2", 32: "<u4"}[bits]).tobytes()
            if sample_format == 1
            else (pixels_HW.astype({8: "i1", 16: "<i2", 32: "<i4"}[bits] if sample_format == 2 else "<f4").tobytes())
        )
    entries = [(256, 3, width), (257, 3, height), (258, 3, bits), (259, 3, 1), (262, 3, photometric), (277, 3, 1)]
    entries += [(278, 3, height), (279, 4, len(body)), (339, 3, sample_format)]
    count = len(entries) + 1 + (colour_map is not None)
    start = 8 + 2 + 12 * count + 4
    table = struct.pack(f"<{len(colour_map)}H", *colour_map) if colour_map else b""
    rows = [(tag, kind, 1, value) for tag, kind, value in entries] + [(273, 4, 1, start + len(table))]
    if colour_map is not None:
        rows.append((320, 3, len(colour_map), start))
    head = struct.pack("<2sHI", b"II", 42, 8) + struct.pack("<H", len(rows))
    return head + b"".join(struct.pack("<HHII", *row) for row in sorted(rows)) + bytes(4) + table + body


def packed_png(pixels_HW: np.ndarray, bits: int) -> bytes:
    """A grey PNG of `bits` bits a pixel."""
    height, width = pixels_HW.shape
    planes = (pixels_HW[..., None] >> np.arange(bits - 1, -1, -1)) & 1
    rows = np.packbits(planes.reshape(height, -1).astype(np.uint8), axis=1)
    return raw_png(width, height, [row.tobytes() for row in rows], bits)


def palette_image(index_HW: np.ndarray, palette: Any) -> Image.Image:
    """An image of indices."""
    image = Image.fromarray(index_HW.astype(np.uint8), "P")
    image.putpalette([level for colour in palette for level in colour])
    return image


def turned(stored: np.ndarray, orientation: int) -> np.ndarray:
    """`stored` as a viewer shows it by the Exif tag (TIFF 6.0, tag 274)."""
    ways = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: np.swapaxes(a, 0, 1),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: np.swapaxes(np.rot90(a, 2), 0, 1),
        8: lambda a: np.rot90(a, 1),
    }
    return ways[orientation](stored)


@st.composite
def mask_files(draw: st.DrawFn) -> MaskFile:
    """Files of all formats, depths, palettes and channels; what is drawn has few values, or one."""
    height, width = draw(st.integers(4, 9)), draw(st.integers(4, 9))
    count = draw(st.integers(1, 4))
    seed = draw(st.integers(0, 2**16))
    places = np.random.default_rng(seed).integers(0, count, (height, width))
    return draw(st.sampled_from([_grey, _wide_grey, _palette, _colour]))(draw, places)


def _grey(draw: st.DrawFn, places: np.ndarray) -> MaskFile:
    bits = draw(st.sampled_from([1, 2, 4, 8]))
    levels = draw(st.lists(st.sampled_from([0, 1, 2, 3, 11, 60, 128, 200, 254, 255]), min_size=4, max_size=4))
    grey = np.array([min(level, WHITES[bits]) for level in levels], np.uint8)[places]
    kinds = ["png", "tiff", "tiff from white"] + (["bmp", "gif", "webp", "jpeg", "turned png"] if bits == 8 else [])
    kind = draw(st.sampled_from(kinds))
    what = f"{kind}, grey, {bits} bits"
    if kind == "turned png":
        orientation = draw(st.integers(1, 8))
        exif = Image.Exif()
        exif[0x0112] = orientation
        return MaskFile(encode(grey, exif=exif), what, turned(grey, orientation))
    if kind == "webp":
        colours = np.repeat(grey[..., None], 3, -1)
        return MaskFile(encode(colours, "WEBP", lossless=True), what, colour_HW3=colours)
    if kind == "jpeg":
        data = encode(grey, "JPEG")
        return MaskFile(data, what, np.asarray(Image.open(io.BytesIO(data))), lossy=True)
    if kind.startswith("tiff"):
        stored = WHITES[bits] - grey if kind == "tiff from white" else grey
        return MaskFile(raw_tiff(stored, bits, int(kind == "tiff")), what, grey, bits)
    return MaskFile(packed_png(grey, bits) if kind == "png" else encode(grey, kind.upper()), what, grey, bits)


def _wide_grey(draw: st.DrawFn, places: np.ndarray) -> MaskFile:
    some = st.sampled_from([0, 1, 2, 255, 257, 1000, 4095, 32_767, 32_768, 65_535])
    grey = np.array(draw(st.lists(some, min_size=4, max_size=4)), np.uint16)[places]
    kind = draw(st.sampled_from(["png", "tiff", "tiff from white"]))
    if kind == "png":
        return MaskFile(encode(grey), "png, grey, 16 bits", grey, 16)
    stored = 65_535 - grey if kind == "tiff from white" else grey
    return MaskFile(raw_tiff(stored, 16, int(kind == "tiff")), f"{kind}, grey, 16 bits", grey, 16)


def _palette(draw: st.DrawFn, places: np.ndarray) -> MaskFile:
    name = draw(st.sampled_from(sorted(PALETTES)))
    palette = PALETTES[name]
    kind = draw(st.sampled_from(["png", "gif", "bmp", "tiff", "transparent png"]))
    what = f"{kind}, palette of {name}"
    image = palette_image(places, palette)
    if kind == "transparent png":
        opacity = draw(st.lists(st.sampled_from([0, 90, 255]), min_size=4, max_size=4))
        data = encode(image, transparency=bytes(opacity))
        alpha = np.array(opacity, np.uint8)[places]
        return MaskFile(data, what, index_HW=places, palette=tuple(palette), alpha_HW=alpha)
    if kind == "tiff":
        padded = [*palette, *[(0, 0, 0)] * (16 - len(palette))]
        colour_map = [colour[channel] * 257 for channel in range(3) for colour in padded]
        return MaskFile(raw_tiff(places, 4, 3, colour_map=colour_map), what, index_HW=places, palette=tuple(padded))
    return MaskFile(encode(image, kind.upper()), what, index_HW=places, palette=tuple(palette))


def _colour(draw: st.DrawFn, places: np.ndarray) -> MaskFile:
    inks = draw(st.lists(st.sampled_from(INKS), min_size=4, max_size=4))
    colours = np.array(inks, np.uint8)[places]
    kind = draw(st.sampled_from(["png", "tiff", "bmp", "webp"]))
    options = {"lossless": True, "exact": True} if kind == "webp" else {}
    if kind == "bmp" or draw(st.booleans()):
        return MaskFile(encode(colours, kind.upper(), **options), f"{kind}, colour", colour_HW3=colours)
    levels = draw(st.lists(st.sampled_from([0, 90, 255]), min_size=3, max_size=3))
    other = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 3, places.shape)
    alpha = np.array(levels, np.uint8)[places % 3 if draw(st.booleans()) else other]
    data = encode(Image.fromarray(np.dstack([colours, alpha])), kind.upper(), **options)
    return MaskFile(data, f"{kind}, colour and alpha", colour_HW3=colours, alpha_HW=alpha)
