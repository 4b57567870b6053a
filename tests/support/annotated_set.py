"""A small data set on disk with annotation files instead of masks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from components.example_gen.check import survey
from components.example_gen.config import DataConfig
from components.example_gen.ingestion import Ingestion
from components.example_gen.quarantine import IngestionSummary, Quarantined, Reason
from tests.support.data_set import encode, photo

CLASSES = ("background", "cat", "dog")
WIDTH, HEIGHT = 32, 24
SQUARE = [[4.0, 4.0], [12.0, 4.0], [12.0, 12.0], [4.0, 12.0]]
"""The corners of a square of 8×8 pixels."""


def square(left: int = 4, top: int = 4, side: int = 8) -> list[float]:
    """The corners of a square as COCO writes them."""
    right, bottom = left + side, top + side
    return [left, top, right, top, right, bottom, left, bottom]


def filled(left: int = 4, top: int = 4, side: int = 8, value: int = 1) -> np.ndarray:
    """The mask with one square."""
    mask_HW = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask_HW[top : top + side, left : left + side] = value
    return mask_HW


class AnnotatedSet:
    """Images below a root, and annotation files."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, path: str, content: bytes | str | Any) -> Path:
        """Writes a file below the root; what is neither bytes nor text is written as JSON."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if not isinstance(content, (bytes, str)):
            content = json.dumps(content)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    def photo(self, path: str, width: int = WIDTH, height: int = HEIGHT) -> None:
        """Writes an image; each path has a different one."""
        self.write(path, encode(photo(width, height, seed=sum(path.encode()))))

    def config(self, source: dict[str, Any], **changes: Any) -> DataConfig:
        """The configuration of a source of these files."""
        return DataConfig(**({"source": {"root": str(self.root)} | source, "classes": CLASSES} | changes))

    def survey(self, source: dict[str, Any], **changes: Any) -> tuple[IngestionSummary, list[Quarantined]]:
        """The account of these files; checks that every image found is used or quarantined."""
        summary, quarantined = survey(self.config(source, **changes), seed=1)
        assert summary.found == sum(summary.used.values()) + len(quarantined)
        return summary, quarantined

    def reasons(self, source: dict[str, Any], **changes: Any) -> dict[str, Reason]:
        """Name → reason of what is quarantined."""
        return {entry.id: entry.reason for entry in self.survey(source, **changes)[1]}

    def masks(self, source: dict[str, Any], **changes: Any) -> dict[str, np.ndarray]:
        """Name → mask of what is used, as ingestion writes it."""
        import tensorflow as tf

        ingestion = Ingestion(self.config(source, **changes), seed=1)
        candidates = list(ingestion.identify(ingestion.listing().pairs))
        masks = {}
        for loaded in ingestion.load([c for c in candidates if not isinstance(c, Quarantined)]):
            assert not isinstance(loaded, Quarantined), loaded.detail
            features = tf.train.Example.FromString(loaded.record).features.feature
            png = features["mask/encoded"].bytes_list.value[0]
            name = features["image/id"].bytes_list.value[0].decode()
            masks[name] = tf.io.decode_png(png).numpy()[..., 0]
        return masks

    def mask(self, source: dict[str, Any], **changes: Any) -> np.ndarray:
        """The mask of the only image."""
        [mask_HW] = self.masks(source, **changes).values()
        return mask_HW


def png_of(mask_HW: np.ndarray) -> bytes:
    """A grey PNG of an array."""
    return encode(Image.fromarray(mask_HW))
