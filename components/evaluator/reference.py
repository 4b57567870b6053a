"""Reference distribution of a model's answers, which `segpipe monitor` compares with those that it gives when served.

It holds the images of a sample of the evaluation split one by one, since a test needs the distribution of each feature.
All values are those of the served signature `serving_default` and of `common.image_tone`, as in the request log.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence

from pydantic import Field, model_validator

from common.settings import Settings

REFERENCE_FILE = "reference.json"
_LARGEST_FILE = 100_000
_BYTES_A_VALUE = 9
_FURTHER_FEATURES = 5  # confidence, brightness, contrast, height, width
_CLASS_PREFIX = "class_fraction/"


class ReferenceDistribution(Settings):
    """Features of a sample of images: each tuple has a value for each image, in the same order."""

    split: str = Field(description="The split that the sample is drawn from.")
    images_in_split: int = Field(ge=1)
    left_out: int = Field(
        default=0, ge=0, description="Images of the sample without values: refused by the model, or not decodable here."
    )
    class_fractions: dict[str, tuple[float, ...]] = Field(description="Class → predicted share of the image.")
    mean_confidence: tuple[float, ...]
    brightness: tuple[float, ...]
    contrast: tuple[float, ...]
    height: tuple[int, ...]
    width: tuple[int, ...]

    @property
    def images(self) -> int:
        """Number of images with values."""
        return len(self.height)

    def features(self) -> Iterator[tuple[str, Sequence[float]]]:
        """Yields the name of each feature, and its values."""
        for name, values in self.class_fractions.items():
            yield class_feature(name), values
        for name in ("mean_confidence", "brightness", "contrast", "height", "width"):
            yield name, getattr(self, name)

    @model_validator(mode="after")
    def _has_a_value_for_each_image(self) -> ReferenceDistribution:
        wrong = [name for name, values in self.features() if len(values) != self.images]
        if wrong:
            raise ValueError(f"{wrong[0]} has not as many values as there are images ({self.images})")
        return self


def class_feature(name: str) -> str:
    """Returns the name of the feature with the share of a class."""
    return f"{_CLASS_PREFIX}{name}"


def most_images(classes: int, wanted: int) -> int:
    """Returns how many images fit into a file of 100 kB, at most `wanted`."""
    return min(wanted, _LARGEST_FILE // (_BYTES_A_VALUE * (classes + _FURTHER_FEATURES)))


def make_reference(
    split: str, images_in_split: int, left_out: int, classes: Sequence[str], values: Sequence[Mapping[str, float]]
) -> ReferenceDistribution:
    """Returns the distribution of images whose features `values` holds, by name; rounded to four digits."""

    def column(name: str) -> tuple[float, ...]:
        return tuple(_rounded(each[name]) for each in values)

    return ReferenceDistribution(
        split=split,
        images_in_split=images_in_split,
        left_out=left_out,
        class_fractions={name: column(class_feature(name)) for name in classes},
        mean_confidence=column("mean_confidence"),
        brightness=column("brightness"),
        contrast=column("contrast"),
        height=tuple(int(each["height"]) for each in values),
        width=tuple(int(each["width"]) for each in values),
    )


def _rounded(value: float) -> float:
    """Rounds to four digits, of the value in single precision, which a request log has."""
    (single,) = struct.unpack("f", struct.pack("f", value))
    return float(f"{single:.4g}")
