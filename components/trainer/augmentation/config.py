"""What is done at random to training pictures: each change with a probability and a range."""

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
Probability = Annotated[float, Field(ge=0, le=1, description="Share of the pictures that are changed.")]


def _rising(value: Interval) -> Interval:
    if value[0] > value[1]:
        raise ValueError(f"the range must rise, but {value[0]:g} is above {value[1]:g}")
    return value


class Rotate(Settings):
    """A turn by any angle, about the middle of what is seen; what comes from outside is black, its mask void."""

    degrees: float = Field(default=15.0, gt=0, le=180, description="Largest angle, either way.")
    probability: Probability = 0.5


class Crop(Settings):
    """A window at random, made as large as the picture again."""

    scale: tuple[Share, Share] = Field(
        default=(0.5, 1.0), description="Least and largest share of the picture's area that the window has."
    )
    ratio: Interval = Field(
        default=(0.75, 1.33), description="Narrowest and widest aspect of the window, 1 being the picture's own."
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
            raise ValueError(f"the range must hold 1, the picture's own aspect, but is {value[0]:g} to {value[1]:g}")
        return value


class CentralCrop(Settings):
    """The middle of the picture, made as large as the picture again."""

    side: tuple[Share, Share] = Field(
        default=(0.7, 1.0), description="Least and largest share of each side that is kept."
    )
    probability: Probability = 0.5

    @field_validator("side")
    @classmethod
    def _side_rises(cls, value: Interval) -> Interval:
        return _rising(value)


class Brightness(Settings):
    """Something added to all of a picture."""

    range: float = Field(
        default=0.2, gt=0, le=1, description="At most that much, either way; 1 is from black to white."
    )
    probability: Probability = 0.5


class Contrast(Settings):
    """The distance of each channel from its mean over the picture, times a factor."""

    range: float = Field(default=0.2, gt=0, le=1, description="The factor is between 1 − range and 1 + range.")
    probability: Probability = 0.5


class Gamma(Settings):
    """A power of the picture's values in 0…1."""

    range: float = Field(
        default=0.3,
        gt=0,
        le=4,
        description="The exponent is between 1 / (1 + range) and 1 + range, its logarithm even.",
    )
    probability: Probability = 0.5


class Saturation(Settings):
    """The saturation of each pixel (in HSV), times a factor."""

    range: float = Field(default=0.3, gt=0, le=1, description="The factor is between 1 − range and 1 + range.")
    probability: Probability = 0.5


class Hue(Settings):
    """The hue of each pixel (in HSV), turned on the circle of colours."""

    range: float = Field(default=0.05, gt=0, le=0.5, description="At most that share of the circle, either way.")
    probability: Probability = 0.5


class Cutout(Settings):
    """A window filled with the picture's mean colour (DeVries and Taylor 2017).

    The mask becomes void there, so that no loss asks about what cannot be seen.
    """

    side: tuple[Share, Share] = Field(
        default=(0.1, 0.3), description="Least and largest share of the picture's sides that the window has."
    )
    probability: Probability = 0.5

    @field_validator("side")
    @classmethod
    def _side_rises(cls, value: Interval) -> Interval:
        return _rising(value)


class Augmentation(Settings):
    """What is done at random to a training picture and, with the same geometry, to its mask.

    Colours are changed first, in the order below, then the geometry, in one step, then a window is cut out. Pixels are
    interpolated at most once, and not at all by mirrors and quarter turns alone.
    """

    flip_horizontal: Annotated[float, _as_probability(0.5)] = Field(
        default=0.5, ge=0, le=1, description="Share of the pictures that are mirrored left and right; `true` is 0.5."
    )
    flip_vertical: Annotated[float, _as_probability(0.5)] = Field(
        default=0.0, ge=0, le=1, description="Share that is mirrored top and bottom; `true` is 0.5."
    )
    quarter_turns: Annotated[float, _as_probability(1.0)] = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Share that is turned by 0°, 90°, 180° or 270°, each alike; `true` is 1. Needs height = width.",
    )
    rotate: Rotate | None = Field(default=None, description="Turns by any angle.")
    crop: Crop | None = Field(default=None, description="Windows at random.")
    central_crop: CentralCrop | None = Field(default=None, description="The middle.")
    brightness: Brightness | None = Field(default=None, description="Lighter or darker.")
    contrast: Contrast | None = Field(default=None, description="Starker or flatter.")
    gamma: Gamma | None = Field(default=None, description="Lighter or darker mid-tones.")
    saturation: Saturation | None = Field(default=None, description="More or less colourful.")
    hue: Hue | None = Field(default=None, description="Other colours.")
    cutout: Cutout | None = Field(default=None, description="Windows that nothing is seen of.")
