"""Image files of every format and kind, written sample by sample, with what a viewer shows of them.

Encoders (`png_file`, `gif_file`, `bmp_file`, `tiff_file`, `exif_data` …) write what Pillow does not: interlaced and
16-bit PNGs, GIF frames anywhere on their screen, TIFFs of several pages.  Strategies (`image_files` and one for each
format) draw `ImageFile`s for hypothesis.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from PIL import Image, ImageCms

Samples = npt.NDArray[np.uint16]
"""[H, W], or [H, W, C] with more than one channel, as they lie in a file, before it is turned."""

TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda stored: stored,
    2: np.fliplr,
    3: lambda stored: np.rot90(stored, 2),
    4: np.flipud,
    5: lambda stored: np.swapaxes(stored, 0, 1),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: np.rot90(np.swapaxes(stored, 0, 1), 2),
    8: np.rot90,
}
"""Orientation → what it takes to stand upright (TIFF 6.0, section 8; Exif 2.32, 4.6.4)."""

XMP = (
    b'http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
    b'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
)
"""An APP1 segment's content that turns an image by XMP, which only Pillow obeys."""

PNG_START = b"\x89PNG\r\n\x1a\n"
GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
"""Colour types of PNG (third edition, 11.2.1)."""
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}


@dataclass(frozen=True)
class ImageFile:
    """The bytes of an image file, and what it is."""

    kind: str
    """Format as ingestion names it: `png`, `jpeg`, `gif`, `bmp`, `tiff` or `webp`."""
    note: str
    """In a few words, for the message of a test that fails."""
    data: bytes = field(repr=False)
    stored_HWC: np.ndarray | None = field(default=None, repr=False)
    """What a viewer shows, uint8 RGB before turning: alpha dropped, 16 bits cut to 8; None where a codec loses some."""
    samples: np.ndarray | None = field(default=None, repr=False)
    """Grey values or palette indices as they lie in the file, before turning; None where they are not of interest."""
    orientation: int = 1
    images: int = 1
    """Pages or frames that it holds."""

    @property
    def shown_HWC(self) -> np.ndarray | None:
        """What a viewer shows, upright."""
        return None if self.stored_HWC is None else TURNS[self.orientation](self.stored_HWC)


def noise(seed: int, height: int, width: int, channels: int = 1, levels: int = 256) -> Samples:
    """Random samples below `levels`."""
    shape = (height, width) if channels == 1 else (height, width, channels)
    return np.random.default_rng(seed).integers(0, levels, shape).astype(np.uint16)


def as_rgb(samples: Samples, bits: int = 8, palette: np.ndarray | None = None) -> np.ndarray:
    """What a viewer shows of grey, grey and alpha, RGB, RGBA, or palette indices; alpha is dropped."""
    if palette is not None:
        return palette[samples].astype(np.uint8)
    eight = samples >> 8 if bits == 16 else samples * 255 // ((1 << bits) - 1)
    colours = eight[..., np.newaxis] if eight.ndim == 2 else eight[..., :1] if eight.shape[2] == 2 else eight[..., :3]
    return np.broadcast_to(colours, (*samples.shape[:2], 3)).astype(np.uint8)


def packed_rows(samples: Samples, bits: int, big_endian: bool = True) -> list[bytes]:
    """Each row's bytes, samples of less than 8 bits packed from the highest bit on."""
    rows = samples.reshape(samples.shape[0], -1)
    if bits >= 8:
        return [row.astype(f"{'>' if big_endian else '<'}u{bits // 8}").tobytes() for row in rows]
    digits = (rows[..., np.newaxis] >> np.arange(bits - 1, -1, -1)) & 1
    return [np.packbits(row.reshape(-1).astype(np.uint8)).tobytes() for row in digits]


# ---------------------------------------------------------------- orientation


def exif_data(
    value: int = 6,
    order: str = "<",
    kind: int = 3,
    count: int = 1,
    before: Sequence[tuple[int, int]] = (),
    after: Sequence[tuple[int, int]] = (),
    gap: int = 0,
    second: int | None = None,
) -> bytes:
    """Exif data: a TIFF file of one directory, `gap` bytes behind its header, with the orientation in it.

    `before` and `after` are (tag, value) of other entries, of type SHORT; `second` is an orientation in a second
    directory.
    """
    own = struct.pack(order + "HHI", 0x0112, kind, count) + struct.pack(*_field(order, kind, value))
    entries = [_short(order, *entry) for entry in before] + [own] + [_short(order, *entry) for entry in after]
    place = 8 + gap
    following = place + 2 + 12 * len(entries) + 4 if second else 0
    directory = struct.pack(order + "H", len(entries)) + b"".join(entries) + struct.pack(order + "I", following)
    extra = struct.pack(order + "H", 1) + _short(order, 0x0112, second) + bytes(4) if second else b""
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", place)
    return start + bytes(gap) + directory + extra


def _short(order: str, tag: int, value: int) -> bytes:
    return struct.pack(order + "HHIHH", tag, 3, 1, value, 0)


def _field(order: str, kind: int, value: int) -> tuple[Any, ...]:
    return (order + "HH", value, 0) if kind == 3 else (order + "I", value)


def segment(marker: int, content: bytes, length: int | None = None) -> bytes:
    """A segment of a JPEG; `length` is what it says, if that is not the truth."""
    return struct.pack(">HH", marker, len(content) + 2 if length is None else length) + content


def app1(exif: bytes) -> bytes:
    """An APP1 segment with Exif data."""
    return segment(0xFFE1, b"Exif\0\0" + exif)


def with_segments(jpeg: bytes, *segments: bytes) -> bytes:
    """A JPEG with segments put in behind its first marker."""
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def chunk(name: bytes, content: bytes = b"", length: int | None = None) -> bytes:
    """A chunk of a PNG; `length` is what it says, if that is not the truth."""
    size = len(content) if length is None else length
    return struct.pack(">I", size) + name + content + struct.pack(">I", zlib.crc32(name + content))


# ---------------------------------------------------------------- encoders


def png_file(
    samples: Samples,
    colour_type: int = RGB,
    bits: int = 8,
    palette: np.ndarray | None = None,
    transparency: bytes = b"",
    interlaced: bool = False,
    before: bytes = b"",
    between: bytes = b"",
    after: bytes = b"",
) -> bytes:
    """A PNG; `before` stands in front of the palette, `between` in front of the pixels, `after` behind them."""
    height, width = samples.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, interlaced)
    passes = [samples[y::dy, x::dx] for x, y, dx, dy in _ADAM7] if interlaced else [samples]
    rows = [b"\0" + row for part in passes if part.size for row in packed_rows(part, bits)]
    colours = b"" if palette is None else chunk(b"PLTE", palette.astype(np.uint8).tobytes())
    clear = chunk(b"tRNS", transparency) if transparency else b""
    pixels = chunk(b"IDAT", zlib.compress(b"".join(rows)))
    return PNG_START + chunk(b"IHDR", header) + before + colours + clear + between + pixels + after + chunk(b"IEND")


_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""Left, top, step right and down of each pass (PNG, third edition, 8.1)."""


def animated_png(samples: Samples, frames: int, still: bool = False, claimed: int | None = None) -> bytes:
    """An APNG of equal frames; `still`: its still image is not one of them; `claimed`: how many it says there are."""
    height, width = samples.shape[:2]
    body = zlib.compress(b"".join(b"\0" + row for row in packed_rows(samples, 8)))
    number = iter(range(1000))

    def control() -> bytes:
        return chunk(b"fcTL", struct.pack(">IIIIIHHBB", next(number), width, height, 0, 0, 1, 10, 0, 0))

    first = chunk(b"acTL", struct.pack(">II", frames if claimed is None else claimed, 0)) + (
        b"" if still else control()
    )
    more = [
        control() + chunk(b"fdAT", struct.pack(">I", next(number)) + body)
        for _ in range(frames if still else frames - 1)
    ]
    return png_file(samples, between=first, after=b"".join(more))


@dataclass(frozen=True)
class GifFrame:
    """A frame of a GIF."""

    indices: Samples
    left: int = 0
    top: int = 0
    transparent: int | None = None
    disposal: int = 0
    palette: np.ndarray | None = None
    """Its own colours; without, the file's."""
    interlaced: bool = False


def gif_file(
    frames: Sequence[GifFrame],
    palette: np.ndarray,
    screen: tuple[int, int] | None = None,
    background: int = 0,
    comment: bytes = b"",
    trailer: bytes = b";",
) -> bytes:
    """A GIF; `screen` is width and height, by default those of the first frame."""
    height, width = frames[0].indices.shape
    size = screen or (width, height)
    table, flags = _colour_table(palette)
    start = b"GIF89a" + struct.pack("<HHBBB", *size, 0x80 | flags, background, 0) + table
    remark = b"!\xfe" + _sub_blocks(comment) if comment else b""
    return start + remark + b"".join(_gif_frame(frame, palette) for frame in frames) + trailer


def _gif_frame(frame: GifFrame, palette: np.ndarray) -> bytes:
    height, width = frame.indices.shape
    clear = frame.transparent is not None
    control = struct.pack("<BBBBHBB", 0x21, 0xF9, 4, frame.disposal << 2 | clear, 10, frame.transparent or 0, 0)
    table, flags = (b"", 0) if frame.palette is None else _colour_table(frame.palette)
    packed = (0 if frame.palette is None else 0x80 | flags) | 0x40 * frame.interlaced
    descriptor = struct.pack("<BHHHHB", 0x2C, frame.left, frame.top, width, height, packed)
    order = [*range(0, height, 8), *range(4, height, 8), *range(2, height, 4), *range(1, height, 2)]
    indices = frame.indices[order] if frame.interlaced else frame.indices
    bits = max(2, (len(frame.palette if frame.palette is not None else palette) - 1).bit_length())
    return control + descriptor + table + bytes([bits]) + _sub_blocks(_lzw(indices.reshape(-1), bits))


def _colour_table(palette: np.ndarray) -> tuple[bytes, int]:
    power = max(1, (len(palette) - 1).bit_length())
    return palette.astype(np.uint8).tobytes().ljust(3 << power, b"\0"), power - 1


def _lzw(indices: np.ndarray, bits: int) -> bytes:
    """Codes that never grow: the table is cleared before they do (GIF89a, appendix F)."""
    clear, run = 1 << bits, (1 << bits) - 2
    codes = [code for at in range(0, len(indices), run) for code in (clear, *indices[at : at + run])] + [clear + 1]
    digits = (np.array(codes)[:, np.newaxis] >> np.arange(bits + 1)) & 1
    return np.packbits(digits.reshape(-1).astype(np.uint8), bitorder="little").tobytes()


def _sub_blocks(content: bytes) -> bytes:
    parts = [content[at : at + 255] for at in range(0, len(content), 255)]
    return b"".join(bytes([len(part)]) + part for part in parts) + b"\0"


def bmp_file(
    samples: Samples,
    bits: int = 24,
    palette: np.ndarray | None = None,
    top_down: bool = False,
    header: int = 40,
    compression: int = 0,
    body: bytes | None = None,
) -> bytes:
    """A BMP of RGB (24 bits), RGBA (32) or palette indices; `header` is the length of its header, 12 that of OS/2."""
    height, width = samples.shape[:2]
    stored = samples if samples.ndim == 2 else samples[..., [2, 1, 0, *range(3, samples.shape[2])]]
    lines = packed_rows(stored, min(bits, 8))
    rows = [line.ljust(-(-len(line) // 4) * 4, b"\0") for line in (lines if top_down else lines[::-1])]
    pixels = b"".join(rows) if body is None else body
    filler = () if header == 12 else (0,)
    colours = b"" if palette is None else b"".join(bytes([b, g, r, *filler]) for r, g, b in palette.astype(int))
    if header == 12:
        info = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        used = 0 if palette is None else len(palette)
        sides = (width, -height if top_down else height)
        numbers = (header, *sides, 1, bits, compression, len(pixels), 2835, 2835, used, 0)
        info = struct.pack("<IiiHHIIiiII", *numbers).ljust(header, b"\0")
    offset = 14 + len(info) + len(colours)
    return struct.pack("<2sIHHI", b"BM", offset + len(pixels), 0, 0, offset) + info + colours + pixels


def run_length_encoded(indices: Samples) -> bytes:
    """BMP's run-length encoding of palette indices, one pixel a run, bottom row first."""
    return b"".join(b"".join(bytes([1, value]) for value in row) + b"\0\0" for row in indices[::-1].tolist()) + b"\0\1"


@dataclass(frozen=True)
class TiffPage:
    """A directory of a TIFF with its pixels."""

    samples: Samples
    bits: int = 8
    photometric: int = 1
    """0 and 1: grey, where white or black is 0; 2: RGB; 3: palette."""
    palette: np.ndarray | None = None
    extra: tuple[int, ...] = ()
    """What each channel beyond the colours is: 1 and 2 alpha, 0 anything."""
    tags: tuple[tuple[int, int, tuple[int, ...]], ...] = ()
    """Further (tag, type, values)."""
    children: tuple[TiffPage, ...] = ()
    """Sub-directories."""


def tiff_file(pages: Sequence[TiffPage], order: str = "<", big: bool = False) -> bytes:
    """A TIFF of uncompressed pages; `big`: BigTIFF, with offsets of 64 bits."""
    writer = _TiffWriter(order, big)
    at, link = 0, writer.first
    for page in pages:
        at = writer.page(page)
        writer.point(link, at)
        link = writer.following
    return bytes(writer.data)


class _TiffWriter:
    _CODES: ClassVar = {1: "B", 2: "B", 3: "H", 4: "I", 7: "B", 13: "I", 16: "Q"}

    def __init__(self, order: str, big: bool) -> None:
        self.order, self.big = order, big
        self.offset = "Q" if big else "I"
        mark = b"II" if order == "<" else b"MM"
        self.data = bytearray(mark + struct.pack(order + "H", 43 if big else 42))
        if big:
            self.data += struct.pack(order + "HH", 8, 0)
        self.first = len(self.data)
        self.data += struct.pack(order + self.offset, 0)
        self.following = 0

    def point(self, place: int, at: int) -> None:
        """Writes the offset `at` to a place that waits for it."""
        struct.pack_into(self.order + self.offset, self.data, place, at)

    def page(self, page: TiffPage) -> int:
        """Writes a page; gives its directory's offset, and leaves in `following` where the next one's belongs."""
        height, width = page.samples.shape[:2]
        channels = 1 if page.samples.ndim == 2 else page.samples.shape[2]
        pixels = b"".join(packed_rows(page.samples, page.bits, self.order == ">"))
        tags = {
            256: (3, (width,)),
            257: (3, (height,)),
            258: (3, (page.bits,) * channels),
            259: (3, (1,)),
            262: (3, (page.photometric,)),
            273: (4, (self._append(pixels),)),
            277: (3, (channels,)),
            278: (3, (height,)),
            279: (4, (len(pixels),)),
        }
        if page.palette is not None:
            full = np.zeros((1 << page.bits, 3), int)
            full[: len(page.palette)] = page.palette
            tags[320] = (3, tuple((full.T * 257).reshape(-1).tolist()))
        if page.extra:
            tags[338] = (3, page.extra)
        if page.children:
            tags[330] = (13, tuple(self.page(child) for child in page.children))
        tags |= {tag: (kind, values) for tag, kind, values in page.tags}
        return self._directory(tags)

    def _directory(self, tags: dict[int, tuple[int, tuple[int, ...]]]) -> int:
        entries = b"".join(self._entry(tag, *tags[tag]) for tag in sorted(tags))
        at = self._append(struct.pack(self.order + ("Q" if self.big else "H"), len(tags)) + entries)
        self.following = self._append(struct.pack(self.order + self.offset, 0), even=False)
        return at

    def _entry(self, tag: int, kind: int, values: tuple[int, ...]) -> bytes:
        raw = struct.pack(f"{self.order}{len(values)}{self._CODES[kind]}", *values)
        if len(raw) > struct.calcsize(self.order + self.offset):
            raw = struct.pack(self.order + self.offset, self._append(raw))
        head = struct.pack(self.order + "HH" + self.offset, tag, kind, len(values))
        return head + raw.ljust(8 if self.big else 4, b"\0")

    def _append(self, content: bytes, even: bool = True) -> int:
        if even and len(self.data) % 2:
            self.data += b"\0"
        at = len(self.data)
        self.data += content
        return at


def by_pillow(image: Image.Image, kind: str, **options: Any) -> bytes:
    """A file as Pillow encodes it."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def webp_file(rgba: Samples, frames: int = 1, exif: bytes = b"", xmp: bytes = b"", **options: Any) -> bytes:
    """A lossless WebP that keeps the colours under transparent pixels."""
    images = [Image.fromarray(np.roll(rgba, shift, 0).astype(np.uint8)) for shift in range(frames)]
    more = {"save_all": True, "append_images": images[1:]} if frames > 1 else {}
    return by_pillow(images[0], "WEBP", lossless=True, exact=True, exif=exif, xmp=xmp, **more, **options)


def colour_profile() -> bytes:
    """An ICC profile that is not sRGB: a viewer that obeys it shows other colours."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ"))
    return profile.tobytes()


# ---------------------------------------------------------------- strategies

SIDES = st.integers(1, 37)
SEEDS = st.integers(0, 1 << 30)
ORIENTATIONS = st.sampled_from([1, 1, 1, 2, 3, 4, 5, 6, 7, 8])


_PNG_KINDS = (
    *((GREY, 1), (GREY, 2), (GREY, 4), (GREY, 8), (GREY, 16), (RGB, 8), (RGB, 16), (PALETTE, 1), (PALETTE, 2)),
    *((PALETTE, 4), (PALETTE, 8), (GREY_ALPHA, 8), (GREY_ALPHA, 16), (RGBA, 8), (RGBA, 16)),
)
"""Every colour type with every depth that it may have."""


@st.composite
def png_files(draw: st.DrawFn) -> ImageFile:
    """PNGs of every colour type and depth, with and without tRNS, interlacing, profiles, orientation and animation."""
    colour_type, bits = draw(st.sampled_from(_PNG_KINDS))
    height, width, seed = draw(SIDES), draw(SIDES), draw(SEEDS)
    palette = noise(seed + 1, draw(st.integers(1, 1 << bits)), 3) if colour_type == PALETTE else None
    levels = 1 << bits if palette is None else len(palette)
    samples = noise(seed, height, width, CHANNELS[colour_type], levels)
    transparency = draw(st.booleans()) and _transparency(samples, colour_type, palette)
    ancillary = {
        "gAMA": chunk(b"gAMA", struct.pack(">I", 100_000)),
        "sRGB": chunk(b"sRGB", b"\0"),
        "iCCP": chunk(b"iCCP", b"x\0\0" + zlib.compress(colour_profile())),
        "plain": b"",
    }
    extra = draw(st.sampled_from(sorted(ancillary)))
    turned, between, after = draw(png_orientations())
    interlaced = draw(st.booleans())
    data = png_file(
        samples, colour_type, bits, palette, transparency or b"", interlaced, ancillary[extra], between, after
    )
    note = f"colour type {colour_type}, {bits} bits, tRNS {bool(transparency)}, interlaced {interlaced}, {extra}"
    return ImageFile("png", note, data, as_rgb(samples, bits, palette), samples, turned)


def _transparency(samples: Samples, colour_type: int, palette: np.ndarray | None) -> bytes:
    if palette is not None:
        return bytes(range(0, 3 * len(palette), 3))[: len(palette)] if len(palette) < 80 else bytes(len(palette))
    if colour_type in (GREY_ALPHA, RGBA):
        return b""
    return b"".join(struct.pack(">H", int(value)) for value in np.atleast_1d(samples[0, 0]))


@st.composite
def png_orientations(draw: st.DrawFn) -> tuple[int, bytes, bytes]:
    """An orientation, and the chunks in front of the pixels and behind them that say it, or only seem to."""
    value, order = draw(ORIENTATIONS), draw(st.sampled_from("<>"))
    exif = exif_data(value, order)
    raw = b"\nexif\n%8d\n" % (len(exif) + 6) + (b"Exif\0\0" + exif).hex().encode() + b"\n"
    told = {
        "eXIf": (value, chunk(b"eXIf", exif), b""),
        "behind": (1, b"", chunk(b"eXIf", exif)),
        "prefix": (1, chunk(b"eXIf", b"Exif\0\0" + exif), b""),
        "raw profile": (1, chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(raw)), b""),
        "xmp": (1, chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP.split(b"\0", 1)[1]), b""),
    }
    return told[draw(st.sampled_from(["eXIf"] * 3 + sorted(told)))]


@st.composite
def animated_pngs(draw: st.DrawFn) -> ImageFile:
    """APNGs of one to four frames, with a still image among them or beside them."""
    samples = noise(draw(SEEDS), draw(SIDES), draw(SIDES), 3)
    frames, still = draw(st.integers(1, 4)), draw(st.booleans())
    data = animated_png(samples, frames, still)
    return ImageFile("png", f"{frames} frames, still {still}", data, as_rgb(samples), images=frames + still)


@st.composite
def jpeg_files(draw: st.DrawFn) -> ImageFile:
    """JPEGs: grey, YCbCr, RGB, CMYK with and without Adobe's mark, progressive, subsampled, turned, of odd sizes."""
    mode = draw(st.sampled_from(["L", "RGB", "RGB", "CMYK", "CMYK without Adobe's mark", "RGB as stored"]))
    height, width = draw(SIDES), draw(SIDES)
    grid = noise(draw(SEEDS), 4, 5, 3).astype(np.uint8)
    image = Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC).convert(mode.split()[0])
    options: dict[str, Any] = {"quality": draw(st.sampled_from([50, 90, 100])), "progressive": draw(st.booleans())}
    if mode == "RGB":
        options["subsampling"] = draw(st.integers(0, 2))
    if mode == "RGB as stored":
        options["keep_rgb"] = True
    if draw(st.booleans()):
        options["icc_profile"] = colour_profile()
    data = by_pillow(image, "JPEG", **options)
    if "without" in mode:
        data = without_adobe_mark(data)
    turned, segments = draw(jpeg_orientations())
    return ImageFile("jpeg", f"{mode} {options.keys()}", with_segments(data, *segments), orientation=turned)


def without_adobe_mark(jpeg: bytes) -> bytes:
    """A JPEG without its APP14 segment, which says how four channels are meant."""
    at = jpeg.index(b"\xff\xee")
    return jpeg[:at] + jpeg[at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big") :]


@st.composite
def jpeg_orientations(draw: st.DrawFn) -> tuple[int, list[bytes]]:
    """An orientation, and the segments that say it, or only seem to."""
    value, order = draw(ORIENTATIONS), draw(st.sampled_from("<>"))
    told = {
        "Exif": (value, [app1(exif_data(value, order))]),
        "XMP and Exif": (value, [segment(0xFFE1, XMP), app1(exif_data(value, order))]),
        "XMP": (1, [segment(0xFFE1, XMP)]),
        "LONG": (1, [app1(exif_data(value, order, kind=4))]),
        "two": (1, [app1(exif_data(value, order, count=2))]),
    }
    return told[draw(st.sampled_from(["Exif"] * 3 + sorted(told)))]


@st.composite
def gif_files(draw: st.DrawFn) -> ImageFile:
    """GIFs of one to three frames: transparent, interlaced, anywhere on their screen, with palettes of their own."""
    seed, height, width = draw(SEEDS), draw(SIDES), draw(SIDES)
    colours = draw(st.sampled_from([2, 4, 5, 16, 100, 256]))
    palette, own = noise(seed, colours, 3), draw(st.booleans())
    local = noise(seed + 1, colours, 3)
    first = GifFrame(
        indices=noise(seed + 2, height, width, levels=colours),
        left=draw(st.integers(0, 9)),
        top=draw(st.integers(0, 9)),
        transparent=draw(st.none() | st.integers(0, colours - 1)),
        disposal=draw(st.integers(0, 3)),
        palette=local if own else None,
        interlaced=draw(st.booleans()),
    )
    screen = draw(st.none() | st.tuples(st.integers(1, 50), st.integers(1, 50)))
    if screen is None:
        first = replace(first, left=0, top=0)
    frames = draw(st.sampled_from([1, 1, 1, 2, 3]))
    data = gif_file(
        [first] * frames, palette, screen, draw(st.integers(0, colours - 1)), b"x" * draw(st.sampled_from([0, 300]))
    )
    note = f"{frames} frames, screen {screen}, {first}"
    return ImageFile("gif", note, data, gif_image(first, palette, screen), images=frames)


def gif_image(frame: GifFrame, palette: np.ndarray, screen: tuple[int, int] | None = None) -> np.ndarray:
    """What a viewer shows of a GIF's first frame, black where it is transparent."""
    height, width = frame.indices.shape
    right, below = screen or (width, height)
    canvas = np.zeros((max(below, frame.top + height), max(right, frame.left + width), 3), np.uint8)
    colours = (palette if frame.palette is None else frame.palette)[frame.indices].astype(np.uint8)
    if frame.transparent is not None:
        colours[frame.indices == frame.transparent] = 0
    canvas[frame.top : frame.top + height, frame.left : frame.left + width] = colours
    return canvas


@st.composite
def bmp_files(draw: st.DrawFn) -> ImageFile:
    """BMPs of 1 to 32 bits, upside down or not, run-length encoded, with the headers of Windows and of OS/2."""
    bits = draw(st.sampled_from([1, 4, 8, 24, 24, 24, 32]))
    height, width, seed = draw(SIDES), draw(SIDES), draw(SEEDS)
    palette = noise(seed + 1, 1 << bits, 3) if bits <= 8 else None
    samples = noise(seed, height, width, {24: 3, 32: 4}.get(bits, 1), min(1 << bits, 256))
    header = draw(st.sampled_from([40, 40, 108, 124, 12])) if bits != 32 else 40
    top_down = header != 12 and draw(st.booleans())
    options: dict[str, Any] = {"header": header, "top_down": top_down}
    if bits == 8 and header == 40 and not top_down and draw(st.booleans()):
        options |= {"compression": 1, "body": run_length_encoded(samples)}
    data = bmp_file(samples, bits, palette, **options)
    note = f"{bits} bits, header {header}, top down {top_down}, compression {options.get('compression', 0)}"
    return ImageFile("bmp", note, data, as_rgb(samples, 8, palette), samples)


_TIFF_KINDS: tuple[tuple[int, int, int, tuple[int, ...]], ...] = (
    *((0, 1, 1, ()), (1, 1, 1, ()), (0, 8, 1, ()), (1, 4, 1, ()), (1, 8, 1, ()), (1, 16, 1, ()), (0, 16, 1, ())),
    *((2, 8, 3, ()), (2, 16, 3, ()), (2, 8, 4, (2,)), (2, 8, 4, (0,)), (3, 8, 1, ()), (3, 4, 1, ()), (1, 8, 2, (2,))),
    (2, 16, 4, (2,)),
)
"""Photometric interpretation, bits, channels, and what the channels beyond the colours are."""


@st.composite
def tiff_files(draw: st.DrawFn) -> ImageFile:
    """TIFFs of both byte orders: grey, RGB, palette, alpha, 1 to 16 bits, turned, with pages and overviews."""
    page, shown = draw(tiff_pages())
    turned = draw(ORIENTATIONS)
    told = draw(st.sampled_from(["tag", "tag", "LONG", "XMP", "nothing"]))
    tags = {
        "tag": ((0x0112, 3, (turned,)),),
        "LONG": ((0x0112, 4, (turned,)),),
        "XMP": ((700, 1, tuple(XMP.split(b"\0", 1)[1])),),
        "nothing": (),
    }[told]
    overview = replace(page, samples=page.samples[::2, ::2], tags=((254, 4, (1,)),))
    overviews, more = draw(st.integers(0, 2)), draw(st.sampled_from([0, 0, 0, 1, 2]))
    children = draw(st.booleans())
    first = replace(page, tags=tags, children=(overview,) * overviews if children else ())
    pages = [first, *([] if children else [overview] * overviews), *([page] * more)]
    order, big = draw(st.sampled_from([("<", False), (">", False), ("<", True)]))  # Pillow reads no other.
    note = f"photometric {page.photometric}, {page.bits} bits, {told}, {overviews} overviews, {order}, big {big}"
    orientation = turned if told == "tag" else 1
    return ImageFile("tiff", note, tiff_file(pages, order, big), shown, page.samples, orientation, 1 + more)


@st.composite
def tiff_pages(draw: st.DrawFn) -> tuple[TiffPage, np.ndarray]:
    """A page, and what a viewer shows of it."""
    photometric, bits, channels, extra = draw(st.sampled_from(_TIFF_KINDS))
    height, width, seed = draw(SIDES), draw(SIDES), draw(SEEDS)
    samples = noise(seed, height, width, channels, 1 << bits)
    palette = noise(seed + 1, 1 << bits, 3) if photometric == 3 else None
    positive = (1 << bits) - 1 - samples if photometric == 0 else samples
    return TiffPage(samples, bits, photometric, palette, extra), as_rgb(positive, bits, palette)


@st.composite
def webp_files(draw: st.DrawFn) -> ImageFile:
    """Lossless WebPs with and without alpha, turned, of one to three frames."""
    channels, frames = draw(st.sampled_from([3, 4])), draw(st.sampled_from([1, 1, 1, 2, 3]))
    rgba = noise(draw(SEEDS), draw(SIDES), draw(SIDES), channels)
    turned, told = draw(ORIENTATIONS), draw(st.sampled_from(["exif", "xmp", ""]))
    options = (
        {"exif": exif_data(turned)} if told == "exif" else {"xmp": XMP.split(b"\0", 1)[1]} if told == "xmp" else {}
    )
    note = f"{channels} channels, {frames} frames, {told}"
    # Equal frames become one, with a longer time.
    images = frames if len({np.roll(rgba, shift, 0).tobytes() for shift in range(frames)}) == frames else -1
    data = webp_file(rgba, frames, **options)  # type: ignore[arg-type]
    return ImageFile("webp", note, data, as_rgb(rgba), orientation=turned if told == "exif" else 1, images=images)


def image_files() -> st.SearchStrategy[ImageFile]:
    """Files of every format."""
    return st.one_of(
        png_files(), animated_pngs(), jpeg_files(), gif_files(), bmp_files(), tiff_files(), webp_files()
    ).filter(lambda file: file.images > 0)
