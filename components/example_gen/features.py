"""Features of a record: the loaded pair and the measures derived from it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from tensorflow.core.example import example_pb2, feature_pb2

from common import records
from components.example_gen.config import SizeBuckets
from components.example_gen.images import CanonicalImage
from components.example_gen.label_map import Mask
from components.example_gen.masks import CanonicalMask


@dataclass(frozen=True)
class Measures:
    """Measures of an image and its mask."""

    brightness: float
    """Mean of luma in [0, 1] (ITU-R BT.601, as TensorFlow's rgb_to_grayscale)."""
    contrast: float
    """Standard deviation of luma in [0, 1]."""
    image_pixels: int
    class_pixels: npt.NDArray[np.int64]
    """[C], pixels of each class."""
    void_pixels: int

    @property
    def class_fraction(self) -> npt.NDArray[np.float64]:
        """[C], the share of each class among the pixels that are not void."""
        return self.class_pixels / self.class_pixels.sum()

    @property
    def foreground_fraction(self) -> float:
        """The share of classes ≥ 1 among the pixels that are not void."""
        return float(self.class_pixels[1:].sum() / self.class_pixels.sum())

    @property
    def void_fraction(self) -> float:
        """The share of void pixels."""
        return self.void_pixels / self.image_pixels


def rgb_tone(image_HWC: npt.NDArray[np.uint8]) -> tuple[float, float]:
    """Returns brightness and contrast of an RGB image."""
    height, width, _ = image_HWC.shape
    luma = np.array(Image.fromarray(image_HWC).convert("L").histogram()) / (height * width)
    levels = np.arange(256) / 255
    mean = float(luma @ levels)
    return mean, float(np.sqrt(luma @ (levels - mean) ** 2))


def measure(
    image_HWC: npt.NDArray[Any],
    mask_HW: Mask,
    classes: int,
    tone: Callable[[npt.NDArray[Any]], tuple[float, float]] = rgb_tone,
) -> Measures:
    """Measures an image and its mask of equal size; at least one pixel of the mask must not be void.

    `tone` gives brightness and contrast of the image.
    """
    brightness, contrast = tone(image_HWC)
    counts = np.array(Image.fromarray(mask_HW).histogram(), np.int64)
    return Measures(
        brightness=brightness,
        contrast=contrast,
        image_pixels=mask_HW.size,
        class_pixels=counts[:classes],
        void_pixels=int(counts[records.VOID]),
    )


def bucket(value: float, edges: Sequence[float]) -> str:
    """The name of the bucket that `value` falls into: `<1000`, `1000–5000`, `≥5000`."""
    return bucket_names(edges)[int(np.searchsorted(edges, value, side="right"))]


def bucket_names(edges: Sequence[float]) -> list[str]:
    """The names of all buckets between these rising edges, from the lowest."""
    numbers = [_number(edge) for edge in edges]
    between = [f"{low}–{high}" for low, high in itertools.pairwise(numbers)]
    return [f"<{numbers[0]}", *between, f"≥{numbers[-1]}"]


def bucket_slices(buckets: Mapping[str, SizeBuckets], measures: Measures) -> dict[str, str]:
    """The slice of each bucketed measure."""
    return {name: bucket(getattr(measures, rule.feature), rule.edges) for name, rule in buckets.items()}


def build_example(
    name: str,
    image: CanonicalImage,
    mask: CanonicalMask,
    measures: Measures,
    class_names: Sequence[str],
    slices: Mapping[str, str],
    fold: int | None = None,
) -> example_pb2.Example:
    """The record of one pair, as `common.records` describes it; `fold` is None without cross-validation."""
    width, height = image.size
    present = [class_names[index] for index in np.flatnonzero(measures.class_pixels)]
    features = {
        records.IMAGE_ENCODED: _bytes(image.encoded),
        records.IMAGE_FORMAT: _bytes(image.format.encode()),
        records.IMAGE_HEIGHT: _int(height),
        records.IMAGE_WIDTH: _int(width),
        records.IMAGE_ID: _bytes(name.encode()),
        records.IMAGE_BRIGHTNESS: _floats([measures.brightness]),
        records.IMAGE_CONTRAST: _floats([measures.contrast]),
        records.MASK_ENCODED: _bytes(mask.encoded),
        records.MASK_CLASS_FRACTION: _floats(measures.class_fraction.tolist()),
        records.MASK_CLASSES: _bytes(*(class_name.encode() for class_name in present)),
        records.MASK_FOREGROUND_FRACTION: _floats([measures.foreground_fraction]),
        records.MASK_VOID_FRACTION: _floats([measures.void_fraction]),
    }
    if fold is not None:
        features[records.FOLD] = _int(fold)
    features |= {records.slice_feature(column): _bytes(value.encode()) for column, value in slices.items()}
    return example_pb2.Example(features=feature_pb2.Features(feature=features))


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _bytes(*values: bytes) -> feature_pb2.Feature:
    return feature_pb2.Feature(bytes_list=feature_pb2.BytesList(value=values))


def _int(value: int) -> feature_pb2.Feature:
    return feature_pb2.Feature(int64_list=feature_pb2.Int64List(value=[value]))


def _floats(values: Sequence[float]) -> feature_pb2.Feature:
    return feature_pb2.Feature(float_list=feature_pb2.FloatList(value=values))
