"""Picture files that nobody sends in good faith, made the same for the same seed.

`MUTATORS` is the specification: each row makes one kind of harm.  A mutator takes a random generator and yields files.
"""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import NamedTuple

import numpy as np
from PIL import Image

from tests.support.data_set import encode, photo

WIDTH, HEIGHT = 16, 12
"""Of all pictures that tell the truth about it."""

PNG, JPEG_START, JPEG_END = b"\x89PNG\r\n\x1a\n", b"\xff\xd8", b"\xff\xd9"
SOF, PROGRESSIVE_SOF, SOS = b"\xff\xc0", b"\xff\xc2", b"\xff\xda"
LARGE = 12_000
"""Width and height of bombs: 144 megapixels, or 430 MB in RGB."""
TEXT_BYTES = 7_900_000
"""What libpng inflates one chunk of compressed text to, just below what it allows."""

Mutator = Callable[[random.Random], Iterator[bytes]]


class Hostile(NamedTuple):
    """A file, and where it comes from."""

    name: str
    data: bytes


def hostile_pictures(seed: int = 0, rounds: int = 1) -> list[Hostile]:
    """All files; those that are drawn by chance `rounds` times."""
    found = []
    for name, mutate in FIXED.items():
        found += _numbered(name, mutate(random.Random(name)))
    for turn in range(rounds):
        for name, mutate in DRAWN.items():
            found += _numbered(f"{name}-{turn}", mutate(random.Random(f"{seed}/{turn}/{name}")))
    return found


def _numbered(name: str, files: Iterable[bytes]) -> list[Hostile]:
    return [Hostile(f"{name}-{index:04d}", data) for index, data in enumerate(files)]


@cache
def sound() -> Mapping[str, bytes]:
    """Small files as encoders write them, one of each kind."""
    image = photo(WIDTH, HEIGHT)
    exif = Image.Exif()
    exif[0x0112] = 6
    frames = [photo(WIDTH, HEIGHT, seed) for seed in range(3)]
    grey_16 = Image.fromarray(np.arange(WIDTH * HEIGHT, dtype=np.uint16).reshape(HEIGHT, WIDTH) * 300)
    return {
        "png": encode(image),
        "png-grey": encode(image.convert("L")),
        "png-16": encode(grey_16),
        "png-alpha": encode(image.convert("RGBA")),
        "png-palette": encode(image.convert("P"), transparency=3),
        "png-1": encode(image.convert("1")),
        "png-exif": encode(image, exif=exif),
        "png-interlaced": interlaced_png(),
        "jpeg": encode(image, "JPEG"),
        "jpeg-progressive": encode(image, "JPEG", progressive=True),
        "jpeg-grey": encode(image.convert("L"), "JPEG"),
        "jpeg-cmyk": encode(image.convert("CMYK"), "JPEG"),
        "jpeg-exif": encode(image, "JPEG", exif=exif),
        "gif": encode(image, "GIF"),
        "gif-animated": encode(frames[0], "GIF", save_all=True, append_images=frames[1:], comment=b"x" * 300),
        "bmp": encode(image, "BMP"),
        "bmp-palette": encode(image.convert("P"), "BMP"),
        "bmp-alpha": encode(image.convert("RGBA"), "BMP"),
        "tiff": encode(image, "TIFF"),
        "tiff-lzw": encode(image, "TIFF", compression="tiff_lzw"),
        "webp": encode(image, "WEBP"),
        "webp-lossless": encode(image, "WEBP", lossless=True),
    }


# ---------------------------------------------------------------- drawn by chance, from every sound file


def cut_short(draw: random.Random) -> Iterator[bytes]:
    """Files that end too early."""
    for data in sound().values():
        for length in (*draw.sample(range(1, 64), 6), *(draw.randrange(len(data)) for _ in range(10)), len(data) - 1):
            yield data[:length]


def with_flipped_bits(draw: random.Random) -> Iterator[bytes]:
    """Files with one to eight bits turned over, every other one among the first 80 bytes."""
    for data in sound().values():
        for index in range(32):
            damaged = bytearray(data)
            for _ in range(draw.choice((1, 2, 8))):
                damaged[draw.randrange(min(len(data), 80) if index % 2 else len(data))] ^= 1 << draw.randrange(8)
            yield bytes(damaged)


def with_extreme_bytes(draw: random.Random) -> Iterator[bytes]:
    """Files in which up to four bytes in a row are the largest, the smallest or the most negative number."""
    for data in sound().values():
        for _ in range(18):
            place = draw.randrange(2, len(data) - 4)
            extreme = draw.choice((b"\0", b"\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\xff\xff", b"\0\0\0\0"))
            yield data[:place] + extreme + data[place + len(extreme) :]


def with_parts_moved(draw: random.Random) -> Iterator[bytes]:
    """Files of which a part is missing, there twice, or at another place."""
    for data in sound().values():
        for _ in range(12):
            begin, end = sorted(draw.sample(range(2, len(data)), 2))
            part, place = data[begin:end], draw.randrange(2, len(data))
            yield draw.choice((data[:begin] + data[end:], data[:end] + data[begin:], data[:place] + part))


def spliced(draw: random.Random) -> Iterator[bytes]:
    """The beginning of one kind with the rest of another."""
    files = list(sound().values())
    for _ in range(120):
        one, other = draw.sample(files, 2)
        place = draw.randrange(2, 60)
        yield one[:place] + other[draw.choice((place, 0)) :]


def noise(draw: random.Random) -> Iterator[bytes]:
    """Random bytes, bare or behind a magic number."""
    for magic in (
        b"",
        PNG,
        PNG + b"\0\0\0\x0dIHDR",
        b"\xff\xd8\xff",
        b"GIF89a",
        b"BM",
        b"II*\0",
        b"RIFF\x40\0\0\0WEBP",
    ):
        for length in (1, 7, 40, 500):
            for _ in range(3):
                yield magic + draw.randbytes(length)


def with_nonsense_in_exif(draw: random.Random) -> Iterator[bytes]:
    """Exif data whose orders, offsets, counts and types lead nowhere, in circles, or far away."""
    for _ in range(40):
        order, mark = draw.choice(((b"II*\0", "<"), (b"MM\0*", ">")))
        jump = draw.choice((0, 4, 8, 8, 8, 9, 200, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF))
        entries = draw.choice((0, 1, 2, 300, 0xFFFF))
        tag = draw.choice((0x0112, 0x0112, 0x8769, 0))
        kind, count = draw.choice((1, 2, 3, 3, 4, 5, 12, 0xFFFF)), draw.choice((0, 1, 1, 2, 0x40000000, 0xFFFFFFFF))
        value = draw.choice((0, 1, 6, 8, 9, 0xFFFF))
        tiff = order + struct.pack(f"{mark}IHHHIHHI", jump, entries, tag, kind, count, value, 0, 8) + draw.randbytes(12)
        yield with_exif_in_jpeg(tiff)
        yield with_exif_in_png(tiff)


# ---------------------------------------------------------------- headers that lie


class Field(NamedTuple):
    """A number in a header: offset, and layout as in `struct`."""

    offset: int
    layout: str


HEADERS: dict[str, list[Field]] = {
    # length of IHDR, width, height, bits, colour type, compression, filter, interlace (RFC 2083, 4.1.1)
    "png": [Field(8, ">I"), Field(16, ">I"), Field(20, ">I"), *(Field(offset, "B") for offset in range(24, 29))],
    # screen, flags, background, aspect (GIF89a, 18)
    "gif": [Field(6, "<H"), Field(8, "<H"), Field(10, "B"), Field(11, "B"), Field(12, "B")],
    # file size, place of the pixels, header size, width, height, planes, bits, compression, pixel bytes, colours
    "bmp": [
        *(Field(offset, "<I") for offset in (2, 10, 14, 18, 22)),
        *(Field(26, "<H"), Field(28, "<H")),
        *(Field(offset, "<I") for offset in (30, 34, 46)),
    ],
    # place of the directory, and its entries
    "tiff": [Field(4, "<I"), *(Field(8 + 2 + 12 * entry + part, "<I") for entry in range(6) for part in (0, 4, 8))],
    # file size, chunk size, frame tag, start code, width, height (RFC 9649, RFC 6386)
    "webp": [Field(4, "<I"), Field(16, "<I"), Field(20, "<I"), Field(23, "<H"), Field(26, "<H"), Field(28, "<H")],
}
EXTREMES = {
    "B": (0, 1, 3, 7, 16, 127, 128, 255),
    "H": (0, 1, 2, 255, 0x7FFF, 0x8000, 0xFFFF),
    "I": (0, 1, 12, 255, LARGE, 65_536, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF),
}


def with_lies_in_the_header(_: random.Random) -> Iterator[bytes]:
    """Every number of every header at its extremes, PNG with the checksum made right too."""
    for name, fields in HEADERS.items():
        for offset, layout in fields:
            for value in EXTREMES[layout[-1]]:
                lie = patched(sound()[name], offset, layout, value)
                yield lie
                if name == "png":
                    yield patched(lie, 29, ">I", zlib.crc32(lie[12:29]))


def with_lies_in_the_frame(_: random.Random) -> Iterator[bytes]:
    """JPEG: length, precision, height, width, components, sampling (ISO/IEC 10918-1, B.2.2); GIF: its descriptor."""
    for name, marker in (("jpeg", SOF), ("jpeg-progressive", PROGRESSIVE_SOF), ("jpeg-cmyk", SOF)):
        start = sound()[name].index(marker)
        for offset, layout in ((2, ">H"), (4, "B"), (5, ">H"), (7, ">H"), (9, "B"), (11, "B"), (12, "B"), (14, "B")):
            for value in EXTREMES[layout[-1]]:
                yield patched(sound()[name], start + offset, layout, value)
    start = first_frame(sound()["gif"])
    for offset, layout in ((1, "<H"), (3, "<H"), (5, "<H"), (7, "<H"), (9, "B"), (10, "B"), (11, "B")):
        for value in EXTREMES[layout[-1]]:
            yield patched(sound()["gif"], start + offset, layout, value)


# ---------------------------------------------------------------- bombs


def png_bombs(_: random.Random) -> Iterator[bytes]:
    """PNG files of kilobytes that are megabytes once read."""
    small, large, pixels = ihdr(WIDTH, HEIGHT), ihdr(LARGE, LARGE, bits=1, colour=0), rows(WIDTH, HEIGHT)
    large_rows = zlib.compress(bytes((LARGE // 8 + 1) * LARGE))
    end, zeros = chunk(b"IEND"), zlib.compress(bytes(TEXT_BYTES))
    texts = [chunk(b"zTXt", b"k\0\0" + zeros), chunk(b"iTXt", b"k\0\1\0\0\0" + zeros)]
    yield PNG + large + chunk(b"IDAT", large_rows) + end
    # libpng passes over what it does not know: the place where width and height are read from holds small ones.
    yield PNG + chunk(b"teSt", struct.pack(">II", WIDTH, HEIGHT)) + large + chunk(b"IDAT", large_rows) + end
    yield PNG + small + large + chunk(b"IDAT", large_rows) + end
    yield PNG + large + small + chunk(b"IDAT", pixels) + end
    yield PNG + small + chunk(b"IDAT", zlib.compress(bytes(32_000_000))) + end
    yield PNG + small + chunk(b"iCCP", b"k\0\0" + zeros) + chunk(b"IDAT", pixels) + end
    for text in texts:
        yield PNG + small + 60 * text + chunk(b"IDAT", pixels) + end
        yield PNG + small + chunk(b"IDAT", pixels) + 60 * text + end
    yield PNG + small + 900 * chunk(b"tEXt", b"k\0" + b"x" * 50) + chunk(b"IDAT", pixels) + end
    yield PNG + small + 900 * chunk(b"teSt") + chunk(b"IDAT", pixels) + end
    yield PNG + small + b"".join(chunk(b"IDAT", pixels[i : i + 1]) for i in range(len(pixels))) + end
    yield PNG + small + 900 * chunk(b"IDAT") + chunk(b"IDAT", pixels) + end
    yield PNG + small + struct.pack(">I", 0xFFFFFFFF) + b"IDAT" + pixels
    yield PNG + small + chunk(b"IDAT", b"") + end
    yield PNG + small + chunk(b"PLTE", bytes(768)) + chunk(b"tRNS", bytes(300)) + chunk(b"IDAT", pixels) + end
    yield PNG + small + end


def jpeg_bombs(_: random.Random) -> Iterator[bytes]:
    """JPEG files that keep a decoder busy, or tell two sizes."""
    yield with_scans(480, 5000)
    yield with_scans(480, 120)
    jpeg = sound()["jpeg"]
    start = jpeg.index(SOF)
    frame = jpeg[start : start + 19]
    for width, height in ((65_500, 65_500), (65_535, 65_535), (LARGE, LARGE), (WIDTH, 0), (0, 0)):
        lie = patched(frame, 5, ">HH", height, width)
        yield jpeg.replace(frame, lie)
        yield jpeg.replace(frame, frame + lie)
        yield jpeg.replace(frame, lie + frame)
        yield jpeg.replace(frame, segment(0xFFE0, frame) + lie)
        # Readers that do not know a marker take what is in its segment for the next ones.
        for marker in (0xFFCC, 0xFFF0, 0xFFC8, 0xFFDC):
            yield jpeg.replace(frame, segment(marker, frame, 0xFFC0) + lie)
    for sampling in (0x11, 0x14, 0x41, 0x44, 0x00, 0xFF):
        yield jpeg.replace(frame, patched(frame, 11, "B", sampling))
    for spacing in (0, 1, 0xFFFF):
        yield jpeg.replace(frame, segment(0xFFDD, struct.pack(">H", spacing)) + frame)
    yield jpeg.replace(SOS, 3000 * b"\xff" + SOS, 1)
    yield jpeg.replace(frame, 400 * segment(0xFFE1, b"Exif\0\0II*\0") + frame)
    yield JPEG_START + JPEG_END
    yield 40 * JPEG_START + jpeg


def gif_bombs(_: random.Random) -> Iterator[bytes]:
    """GIF files with many frames, or with frames that are larger than they seem."""
    gif = sound()["gif"]
    start = first_frame(gif)
    frame = gif[start:-1]
    large = patched(frame, 5, "<HH", 65_535, 65_535)
    yield gif[:-1] + 3000 * frame + b";"
    yield gif[:-1] + large + b";"
    yield gif[:start] + large + frame + b";"
    for screen in ((0, 0), (1, 1), (65_535, 65_535)):
        yield patched(gif, 6, "<HH", *screen)
    for extensions in (10, 400, 1000, 5000):
        yield gif[:start] + extensions * b"!\xfe\1x\0" + gif[start:]
        yield gif[:start] + b"!\xfe" + extensions * b"\1x" + b"\0" + gif[start:]
    for blocks in range(990, 1004):
        yield gif[:start] + behind_a_false_frame(blocks) + large + b";"
    yield gif[:10] + b"\0" + gif[11:13] + frame + b";"  # Without any colours.
    yield gif[:-1] + b"!\xfe" + 3000 * b"\xff"
    yield frame
    yield gif[:start] + b";"


def bmp_bombs(_: random.Random) -> Iterator[bytes]:
    """BMP files with sizes that overflow, headers of other systems, and runs of no length."""
    bmp = sound()["bmp"]
    lowest, minus_sixteen, minus_twelve = 1 << 31, (1 << 32) - WIDTH, (1 << 32) - HEIGHT
    sizes = ((1 << 16, 1 << 16), (lowest, lowest), (WIDTH, lowest), (minus_sixteen, HEIGHT), (WIDTH, minus_twelve))
    for width, height in sizes:
        yield patched(bmp, 18, "<II", width, height)
    pixels = bytes(3 * WIDTH * HEIGHT)
    yield b"BM" + struct.pack("<IHHI IHHHH", 26 + len(pixels), 0, 0, 26, 12, WIDTH, HEIGHT, 1, 24) + pixels  # OS/2
    delta, end_of_line, run = b"\0\2\xff\xff", b"\0\0", b"\1\1"
    for width, height in ((WIDTH, HEIGHT), (1_000_000, 1), (900_000, 1), (1, 900_000), (1000, 1000), (0, 5), (5, 0)):
        for compression in (1, 2, 3, 4, 5, 99):
            for body in (delta, end_of_line * 500, run * 500, b"\0", b"\xff\0" * 60 + b"\0\1"):
                yield run_length_bmp(width, height, compression, body)


def tiff_bombs(_: random.Random) -> Iterator[bytes]:
    """TIFF files whose tiles, strips and directories are larger than the picture, or lead in circles."""
    tiled = zlib.compress(bytes(40_000_000))
    for side in (16, 4096, 20_000, 0, 0xFFFFFFFF):
        yield tiff({322: side, 323: side, 324: 8, 325: len(tiled), 259: 8}, tiled)
    for rows_per_strip in (0, 1, 0x7FFFFFFF, 0xFFFFFFFF):
        yield tiff({278: rows_per_strip, 273: 8, 279: len(tiled), 259: 8}, tiled)
    for compression in (1, 2, 5, 7, 8, 32773, 34712, 50000):
        yield tiff({273: 8, 279: len(tiled), 278: HEIGHT, 259: compression}, tiled)
    for samples in (0, 2, 5, 255, 65_535):
        yield tiff({277: samples, 273: 8, 279: 100, 259: 1}, tiled[:100])


def webp_bombs(_: random.Random) -> Iterator[bytes]:
    """WebP files whose canvas is larger than their picture."""
    webp = sound()["webp"]
    for size in (b"\xff" * 6, b"\0" * 6, b"\x0f\0\0\x0b\0\0"):
        for flags in (0, 2, 255):
            header = b"VP8X" + struct.pack("<IB3x", 10, flags) + size
            yield b"RIFF" + struct.pack("<I", len(webp) + 10) + b"WEBP" + header + webp[12:]


# ---------------------------------------------------------------- no pictures, or two in one


def other_types(_: random.Random) -> Iterator[bytes]:
    """What people send by mistake, or to see what happens."""
    yield from (b"", b"\0", b"\xff", b"\n", b"null", b"{}", b"GIF", b"BM", b"\xff\xd8", b"\xff\xd8\xff", PNG, PNG[:4])
    yield from (b"%PDF-1.7\n%\xe2\xe3\n", b"PK\3\4" + bytes(60), b"\x7fELF" + bytes(60), b"\x1f\x8b\x08" + bytes(40))
    yield from (b"<svg xmlns='http://www.w3.org/2000/svg' width='9e9'/>", b"<!doctype html>", b"#!/bin/sh\nexit 1\n")
    yield from (b"\0\0\0\x18ftypheic" + bytes(40), b"\0\0\0\x1cftypavif" + bytes(40), b"8BPS\0\1" + bytes(40))
    yield from (b"%!PS-Adobe-3.0 EPSF-3.0\n", b"P6 99999 99999 255\n", b"version https://git-lfs.github.com/spec/v1\n")
    yield from (b"\x93NUMPY\1\0", b"\x80\4cos\nsystem\n(S'exit 1'\ntR.", b"\xef\xbb\xbf" + sound()["png"])
    yield from (bytes(100_000), b"\xff" * 100_000, b" " * 1000 + sound()["png"], sound()["png"].hex().encode())


def polyglots(_: random.Random) -> Iterator[bytes]:
    """Files that are of two kinds, one behind or inside the other."""
    for name, one in sound().items():
        for other in (sound()[kind] for kind in ("png", "jpeg", "gif", "bmp") if kind != name):
            yield one + other
        yield one + bytes(5000)
        yield one + b"PK\5\6" + bytes(18)
    for inner in sound().values():
        yield sound()["jpeg"].replace(JPEG_START, JPEG_START + segment(0xFFFE, inner), 1)
        yield PNG + ihdr(WIDTH, HEIGHT) + chunk(b"tEXt", inner) + chunk(b"IDAT", rows(WIDTH, HEIGHT)) + chunk(b"IEND")


DRAWN: dict[str, Mutator] = {
    "cut-short": cut_short,
    "flipped-bits": with_flipped_bits,
    "extreme-bytes": with_extreme_bytes,
    "moved-parts": with_parts_moved,
    "spliced": spliced,
    "noise": noise,
    "exif-nonsense": with_nonsense_in_exif,
}
FIXED: dict[str, Mutator] = {
    "header-lie": with_lies_in_the_header,
    "frame-lie": with_lies_in_the_frame,
    "png-bomb": png_bombs,
    "jpeg-bomb": jpeg_bombs,
    "gif-bomb": gif_bombs,
    "bmp-bomb": bmp_bombs,
    "tiff-bomb": tiff_bombs,
    "webp-bomb": webp_bombs,
    "other-type": other_types,
    "polyglot": polyglots,
}
MUTATORS = DRAWN | FIXED


# ---------------------------------------------------------------- the parts that files are put together from


def patched(data: bytes, offset: int, layout: str, *values: int) -> bytes:
    """`data` with other numbers at `offset`."""
    return data[:offset] + struct.pack(layout, *values) + data[offset + struct.calcsize(layout) :]


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    """A PNG chunk with a right checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def ihdr(width: int, height: int, bits: int = 8, colour: int = 2, interlaced: bool = False) -> bytes:
    """PNG's first chunk; RGB if nothing else is said."""
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced))


def rows(width: int, height: int) -> bytes:
    """The pixels of a black RGB PNG, as they lie in IDAT."""
    return zlib.compress(bytes((3 * width + 1) * height))


def inflating_png(side: int, megabytes: int, pieces: int = 1 << 20) -> bytes:
    """A black PNG whose pixels go on: so many megabytes of zeros, compressed, in IDAT chunks of `pieces` bytes."""
    deflater = zlib.compressobj(9)
    data = deflater.compress(bytes((3 * side + 1) * side)) + deflater.flush(zlib.Z_FULL_FLUSH)
    zeros = deflater.compress(bytes(1 << 24)) + deflater.flush(zlib.Z_FULL_FLUSH)  # May be repeated as it is.
    data += ((megabytes << 20) // len(zeros) + 1) * zeros
    chunks = (chunk(b"IDAT", data[start : start + pieces]) for start in range(0, len(data), pieces))
    return PNG + ihdr(side, side) + b"".join(chunks) + chunk(b"IEND")


def interlaced_png() -> bytes:
    """A PNG in Adam7 order, which Pillow does not write."""
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    sizes = ((len(range(x, WIDTH, dx)), len(range(y, HEIGHT, dy))) for x, y, dx, dy in passes)
    body = b"".join((b"\0" + 3 * width * b"\x80") * height for width, height in sizes)
    return PNG + ihdr(WIDTH, HEIGHT, interlaced=True) + chunk(b"IDAT", zlib.compress(body)) + chunk(b"IEND")


def segment(marker: int, data: bytes, length: int | None = None) -> bytes:
    """A JPEG marker and its segment, filled up where it says to be longer than it is."""
    length = len(data) + 2 if length is None else length
    return struct.pack(">HH", marker, length) + data + bytes(max(0, length - 2 - len(data)))


def with_exif_in_jpeg(tiff: bytes) -> bytes:
    """A JPEG whose first segment is Exif data."""
    return sound()["jpeg"].replace(JPEG_START, JPEG_START + segment(0xFFE1, b"Exif\0\0" + tiff), 1)


def with_exif_in_png(tiff: bytes) -> bytes:
    """A PNG with an eXIf chunk."""
    return PNG + ihdr(WIDTH, HEIGHT) + chunk(b"eXIf", tiff) + chunk(b"IDAT", rows(WIDTH, HEIGHT)) + chunk(b"IEND")


def with_scans(side: int, scans: int) -> bytes:
    """A progressive JPEG of `side` × `side` that ends in the same scan again and again."""
    out = io.BytesIO()
    Image.new("RGB", (side, side), "grey").save(out, "JPEG", progressive=True)
    body = out.getvalue().removesuffix(JPEG_END)
    return body + scans * body[body.rindex(SOS) :] + JPEG_END


def first_frame(gif: bytes) -> int:
    """Where the first image descriptor of a GIF is."""
    place = 13 + (3 << (gif[10] & 7) + 1 if gif[10] & 0x80 else 0)
    while gif[place] == ord("!"):
        place += 2
        while gif[place]:
            place += 1 + gif[place]
        place += 1
    return place


def behind_a_false_frame(blocks: int) -> bytes:
    """An extension of so many blocks that a reader gives up, at one that looks like a small image descriptor."""
    descriptor = struct.pack("<BHHHHB", 0x2C, 0, 0, 4, 4, 0)  # 0x2C is also the length of the block that it begins.
    false_frame = descriptor + b"\2" + b"\xff" + bytes(33)
    return b"!\xfe" + blocks * b"\1x" + 6 * false_frame + b"\0"


def run_length_bmp(width: int, height: int, compression: int, body: bytes) -> bytes:
    """A BMP of 8 bits a pixel whose pixels are `body`."""
    palette = bytes(1024)
    start = 54 + len(palette)
    header = struct.pack("<IHHI", start + len(body), 0, 0, start)
    header += struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, compression, len(body), 0, 0, 256, 0)
    return b"BM" + header + palette + body


def tiff(tags: Mapping[int, int], body: bytes) -> bytes:
    """A grey TIFF of 8 bits with `body` at offset 8, and `tags` beside or in place of those that it needs."""
    entries = {256: WIDTH, 257: HEIGHT, 258: 8, 262: 1, 277: 1} | tags
    start = 8 + len(body) + len(body) % 2
    directory = struct.pack("<H", len(entries))
    directory += b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(entries.items()))
    return (b"II*\0" + struct.pack("<I", start) + body).ljust(start, b"\0") + directory + struct.pack("<I", start)
