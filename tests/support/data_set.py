"""A small data set on disk that a test fills with the quirk that it is about."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from components.example_gen.check import survey
from components.example_gen.config import DataConfig, FoldersSource
from components.example_gen.quarantine import IngestionSummary, Quarantined, Reason

CLASSES = ("background", "thing", "other")


def encode(picture: Image.Image | np.ndarray, kind: str = "PNG", **options: Any) -> bytes:
    """The bytes of a picture file."""
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def photo(width: int = 32, height: int = 24, seed: int = 0) -> Image.Image:
    """A smooth coloured picture, other for every seed."""
    grid = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    return Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC)


def blocks(width: int = 32, height: int = 24, values: tuple[int, ...] = (0, 1, 2)) -> np.ndarray:
    """A mask of vertical stripes, one for each value."""
    stripe = np.minimum(np.arange(width) * len(values) // width, len(values) - 1)
    return np.tile(np.array(values)[stripe], (height, 1)).astype(np.uint8)


def raw_png(width: int, height: int, rows: Iterable[bytes], bits: int = 8, colour: int = 0) -> bytes:
    """A PNG of few bits or many pixels, which Pillow does not write; `rows` are packed as they lie in the file.

    `colour` is the PNG colour type: 0 grey, 2 RGB.
    """
    packer = zlib.compressobj(9)
    body = b"".join(packer.compress(b"\0" + row) for row in rows) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", body), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


class DataSet:
    """Folders `images` and `masks` below a root."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, path: str, data: bytes) -> Path:
        """Writes one file below the root."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        return file

    def add(self, name: str, image: Any = None, mask: Any = None, **mask_options: Any) -> None:
        """Writes a pair; pictures are bytes, or arrays or Pillow images that become PNGs."""
        image = photo(seed=sum(name.encode())) if image is None else image
        mask = blocks() if mask is None else mask
        self.write(f"images/{name}.png", image if isinstance(image, bytes) else encode(image))
        self.write(f"masks/{name}.png", mask if isinstance(mask, bytes) else encode(mask, **mask_options))

    def config(self, **changes: Any) -> DataConfig:
        """The configuration of these folders."""
        settings: dict[str, Any] = {"source": FoldersSource(root=str(self.root)), "classes": CLASSES} | changes
        return DataConfig(**settings)

    def survey(self, **changes: Any) -> tuple[IngestionSummary, list[Quarantined]]:
        """The account of these folders; checks that every pair found is used or quarantined."""
        summary, quarantined = survey(self.config(**changes), seed=1)
        assert summary.found == sum(summary.used.values()) + len(quarantined)
        assert sum(summary.quarantined.values()) == len(quarantined)
        return summary, quarantined

    def reasons(self, **changes: Any) -> dict[str, Reason]:
        """Name → reason of what is quarantined."""
        return {entry.id: entry.reason for entry in self.survey(**changes)[1]}
