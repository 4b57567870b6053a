"""SegFormer's weights as published files name them, with values that follow from the names.

The module is also run in the environment of `transformers`, so it needs NumPy alone.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

PREFIX = "segformer.encoder."


def values(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Random values that depend on the name alone; scales near 1, and variances above 1."""
    drawn = np.random.default_rng(zlib.crc32(name.encode())).normal(size=shape).astype("f4") * np.float32(0.05)
    if name.endswith("running_var"):
        return np.abs(drawn) + 1
    return drawn + (1 if "norm" in name and name.endswith("weight") else 0)


def image(height: int, width: int) -> np.ndarray:
    """An image [1, H, W, 3] of random values in 0…255."""
    return np.random.default_rng(5).integers(0, 256, [1, height, width, 3]).astype("f4")


def published_shapes(encoder: Any) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The encoder's arrays as PyTorch has them: outputs, inputs, height, width."""
    for layer in encoder.layers:
        for weight, suffix in zip(layer.weights, ("weight", "bias"), strict=False):
            shape = tuple(weight.shape)
            if "depthwise_kernel" in weight.name:
                shape = (shape[2], shape[3], *shape[:2])
            elif len(shape) > 1:
                shape = (shape[-1], shape[-2], *shape[:-2])
            yield f"{PREFIX}{layer.name}.{suffix}", shape
