"""When a model is good enough."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from common.settings import Settings

METRIC_NAMES = ("mean_iou", "mean_dice", "pixel_accuracy", "iou/<class>", "dice/<class>")


class Threshold(Settings):
    """A bound that a metric must keep for the model to be blessed."""

    metric: str = Field(
        description="`mean_iou`, `mean_dice`, `pixel_accuracy`, `iou/<class>` or `dice/<class>`.", examples=["mean_iou"]
    )
    at_least: float | None = Field(default=None, ge=0, le=1, description="Lowest value that passes.")
    may_drop: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="How far below the baseline's value it may lie; without a baseline this is not asked.",
    )
    better_than_constant: bool = Field(
        default=False,
        description="Whether it must be higher than the prediction of one class everywhere reaches on the same images, "
        "which the evaluation computes. The default bound asks for it. A bound of your own asks for what it says: "
        "where that blesses a model that is not better, the verdict warns.",
    )
    slice: dict[str, str] | str | None = Field(
        default=None,
        description="Where it is asked: nothing for the whole split, a slicing column's name for each of its values, "
        "or `{column: value}` for one.",
    )

    @model_validator(mode="after")
    def _asks_something(self) -> Threshold:
        if self.at_least is None and self.may_drop is None and not self.better_than_constant:
            raise ValueError("give at_least, may_drop or both (or better_than_constant: true)")
        return self


class EvaluatorConfig(Settings):
    """What is measured, on which slices, and which bounds bless a model."""

    split: Literal["eval", "test"] = Field(default="test", description="The split that judges.")
    slices: tuple[str, ...] = Field(
        default=(), description="Slicing columns or buckets whose values get metrics of their own."
    )
    thresholds: tuple[Threshold, ...] = Field(
        default=(Threshold(metric="mean_iou", at_least=0.5, may_drop=0.01, better_than_constant=True),),
        min_length=1,
        description="All of them must hold. What was not measured is not blessed: a bound on a class without a pixel "
        "in the judging split fails, and nothing is blessed where fewer than two classes have pixels there.",
    )
    confidence_intervals: bool = Field(
        default=True, description="95 % intervals by Poisson bootstrap over the pictures."
    )
    batch_size: int = Field(default=16, ge=1, description="Pictures the model is shown at a time.")
