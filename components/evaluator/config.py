"""Configuration of the evaluation: split, slices and thresholds."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from common.settings import Settings
from components.evaluator.families.config import Family
from components.evaluator.families.names import LOWER_IS_BETTER

METRIC_NAMES = ("mean_iou", "mean_dice", "pixel_accuracy", "iou/<class>", "dice/<class>")
_COUNTED = {name.partition("/")[0] for name in METRIC_NAMES}


class Threshold(Settings):
    """A threshold that a metric must meet for the model to be blessed."""

    metric: str = Field(
        description="`mean_iou`, `mean_dice`, `pixel_accuracy`, `iou/<class>` or `dice/<class>`, or one of `metrics`, "
        "such as `boundary_iou/<class>`.",
        examples=["mean_iou"],
    )
    at_least: float | None = Field(default=None, ge=0, le=1, description="Lowest value that passes.")
    at_most: float | None = Field(
        default=None,
        ge=0,
        description="Highest value that passes, of a distance (`hd95/<class>`) or an error (`ece`, `ece/<class>`, "
        "`mce`, `brier_score`).",
    )
    may_drop: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="How far below the baseline's value it may be; not checked without a baseline.",
    )
    better_than_constant: bool = Field(
        default=False,
        description="Whether it must exceed what predicting one class everywhere reaches on the same images. The "
        "default threshold requires it. Your own threshold checks only what it says: if that blesses a model that is "
        "not better, the verdict warns.",
    )
    slice: dict[str, str] | str | None = Field(
        default=None,
        description="Where it is checked: nothing for the whole split, a slicing column's name for each of its values, "
        "or `{column: value}` for one.",
    )

    @model_validator(mode="after")
    def _asks_something(self) -> Threshold:
        asked = self.at_least is not None or self.may_drop is not None or self.better_than_constant
        if self.metric.partition("/")[0] in LOWER_IS_BETTER:
            if asked or self.at_most is None:
                raise ValueError(f"{self.metric} is better if it is lower: give at_most alone")
            return self
        if self.at_most is not None:
            raise ValueError(
                f"at_most is for what is better if it is lower ({', '.join(LOWER_IS_BETTER)}); "
                f"give {self.metric} at_least"
            )
        if not asked:
            raise ValueError("give at_least, may_drop or both (or better_than_constant: true)")
        if self.better_than_constant and self.metric.partition("/")[0] not in _COUNTED:
            raise ValueError(
                f"what predicting one class everywhere reaches in {self.metric} is not computed: give at_least"
            )
        return self


class EvaluatorConfig(Settings):
    """Metrics, slices and the thresholds that bless a model."""

    split: Literal["eval", "test"] = Field(default="test", description="The split that the model is evaluated on.")
    slices: tuple[str, ...] = Field(
        default=(), description="Slicing columns or buckets for whose values metrics are computed."
    )
    metrics: tuple[Family, ...] = Field(
        default=(),
        description="Further metrics, at the images' own sizes: `boundary` (boundary IoU), `surface` (surface Dice, "
        "HD95), `objects` (precision, recall, F1, panoptic quality), `calibration` (ECE, MCE, Brier score); a name "
        "alone is that one with its defaults.",
    )
    thresholds: tuple[Threshold, ...] = Field(
        default=(Threshold(metric="mean_iou", at_least=0.5, may_drop=0.01, better_than_constant=True),),
        min_length=1,
        description="All of them must hold. What was not measured is not blessed: a threshold on a class without a "
        "pixel in the split fails, and nothing is blessed if fewer than two classes have pixels there.",
    )
    confidence_intervals: bool = Field(
        default=True, description="Whether to compute 95 % confidence intervals by Poisson bootstrap over the images."
    )
    reference_images: int = Field(
        default=500,
        ge=0,
        description="Images of the split that the model predicts once more, as a server does, for the distribution "
        "that `segpipe monitor` compares its answers with; fewer with many classes (a file of 100 kB); 0: none.",
    )
    batch_size: int = Field(default=16, ge=1, description="Images in a batch.")
