"""Which files of a folder are images to predict, by their names."""

from __future__ import annotations

import posixpath

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpe", ".jpg", ".png", ".tif", ".tiff", ".webp"})
"""Suffixes of images; the model rejects those that it does not read, with a message of its own."""
OUTPUT_SUFFIXES = (".mask.png", ".overlay.png", ".mask.tif")
"""Ends of the names of earlier predictions, which are not inputs."""


def is_image(path: str) -> bool:
    """Returns whether the file is an image, and not an earlier prediction."""
    return not path.lower().endswith(OUTPUT_SUFFIXES) and posixpath.splitext(path)[1].lower() in SUFFIXES


def is_hidden(path: str) -> bool:
    """Returns whether the file, or a folder that it is in, is hidden."""
    return any(part.startswith(".") for part in path.split("/"))
