"""Configuration of the augmentation: each change has a probability and a range."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator

from common.settings import Settings


def _as_probability(always: float) -> BeforeValidator:
    """Reads `true` as `always` and `false` as 0; YAML's 1 and 0 stay numbers."""

    def read(value: Any) -> Any:
        return (always if value else 0.0) if isinstance(value, bool) else value

    return BeforeValidator(read)


Share = Annotated[float, Field(gt=0, le=1)]
Interval = tuple[float, float]
Probability = Annotated[float, Field(ge=0, le=1, description="Probability that an image is changed.")]


def _rising(value: Interval) -> Interval:
    if value[0] > value[1]:
        raise ValueError(f"the range must rise, but {value[0]:g} is above {value[1]:g}")
    return value


class Rotate(Settings):
    """Rotation by any angle about the centre; pixels from outside are black, their mask void."""

    degrees: float = Field(default=15.0, gt=0, le=180, description="Largest angle, in either direction.")
    probability: Probability = 0.5


class Crop(Settings):
    """Random crop, resized to the image's size."""

    scale: tuple[Share, Share] = Field(
        default=(0.5, 1.0), description="Smallest and largest share of the image's area."
    )
    ratio: Interval = Field(
        default=(0.75, 1.33), description="Smallest and largest aspect ratio of the window relative to the image's."
    )
    probability: Probability = 1.0

    @field_validator("scale")
    @classmethod
    def _scale_rises(cls, value: Interval) -> Interval:
        return _rising(value)

    @field_validator("ratio")
    @classmethod
    def _ratio_holds_one(cls, value: Interval) -> Interval:
        if not 0 < value[0] <= 1 <= value[1]:
            raise ValueError(f"the range must include 1, the image's own aspect, but is {value[0]:g} to {value[1]:g}")
        return value


class CentralCrop(Settings):
    """Central crop, resized to the image's size."""

    side: tuple[Share, Share] = Field(
        default=(0.7, 1.0), description="Smallest and largest share of each side that is kept."
    )
    probability: Probability = 0.5

    @field_validator("side")
    @classmethod
    def _side_rises(cls, value: Interval) -> Interval:
        return _rising(value)


class Brightness(Settings):
    """Brightness: a constant added to the image."""

    range: float = Field(
        default=0.2,
        gt=0,
        le=1,
        description="Largest change, in either direction; 1 is from black to white or, with `transform.normalize: "
        "picture`, the image's standard deviation.",
    )
    probability: Probability = 0.5


class Contrast(Settings):
    """Contrast: the distance of each channel from its mean over the image, times a factor."""

    range: float = Field(default=0.2, gt=0, le=1, description="The factor is between 1 − range and 1 + range.")
    probability: Probability = 0.5


class Gamma(Settings):
    """Gamma: a power of the image's values in 0…1."""

    range: float = Field(
        default=0.3,
        gt=0,
        le=4,
        description="The exponent is between 1 / (1 + range) and 1 + range, log-uniform.",
    )
    probability: Probability = 0.5


class Saturation(Settings):
    """Saturation of each pixel (in HSV), times a factor."""

    range: float = Field(default=0.3, gt=0, le=1, description="The factor is between 1 − range and 1 + range.")
    probability: Probability = 0.5


class Hue(Settings):
    """Hue of each pixel (in HSV), shifted on the colour circle."""

    range: float = Field(
        default=0.05, gt=0, le=0.5, description="Largest shift as a share of the circle, in either direction."
    )
    probability: Probability = 0.5


class Cutout(Settings):
    """Cutout: a window filled with the image's mean colour (DeVries and Taylor 2017).

    The mask becomes void there, so that hidden pixels are not in the loss.
    """

    side: tuple[Share, Share] = Field(
        default=(0.1, 0.3), description="Smallest and largest share of the image's sides."
    )
    probability: Probability = 0.5

    @field_validator("side")
    @classmethod
    def _side_rises(cls, value: Interval) -> Interval:
        return _rising(value)


class Augmentation(Settings):
    """Random augmentation of a training image and, with the same geometry, of its mask.

    Colours are changed first, in the order below, then the geometry in one step, then cutout is applied. Pixels are
    interpolated at most once, and not at all by flips and 90° rotations alone. With `transform.normalize: picture`,
    brightness, contrast and inversion are applied to the normalised image, at the end.
    """

    flip_horizontal: Annotated[float, _as_probability(0.5)] = Field(
        default=0.5, ge=0, le=1, description="Probability of a horizontal flip; `true` is 0.5."
    )
    flip_vertical: Annotated[float, _as_probability(0.5)] = Field(
        default=0.0, ge=0, le=1, description="Probability of a vertical flip; `true` is 0.5."
    )
    quarter_turns: Annotated[float, _as_probability(1.0)] = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Probability of a rotation by 0°, 90°, 180° or 270°, equally likely; `true` is 1. Needs "
        "height = width.",
    )
    rotate: Rotate | None = Field(default=None, description="Rotations by any angle.")
    crop: Crop | None = Field(default=None, description="Random crops.")
    central_crop: CentralCrop | None = Field(default=None, description="Central crops.")
    brightness: Brightness | None = Field(default=None, description="Changes of brightness.")
    contrast: Contrast | None = Field(default=None, description="Changes of contrast.")
    gamma: Gamma | None = Field(default=None, description="Gamma: lighter or darker mid-tones.")
    saturation: Saturation | None = Field(default=None, description="Changes of saturation.")
    hue: Hue | None = Field(default=None, description="Shifts of hue.")
    invert: float = Field(
        default=0.0, ge=0, le=1, description="Probability that bright and dark are exchanged: 255 − x."
    )
    cutout: Cutout | None = Field(default=None, description="Cutout: hidden windows.")
