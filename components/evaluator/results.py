"""Results of an evaluation, readable without TFMA: `metrics.json` in the evaluation artifact."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from common.settings import Settings

RESULTS_FILE = "metrics.json"


class Estimate(Settings):
    """A metric's value with its 95 % interval; `None` if it is undefined (class absent)."""

    value: float | None
    low: float | None = None
    high: float | None = None


class ConfidenceBin(Settings):
    """A bar of a reliability diagram: the pixels of the confidence `low` < c ≤ `high`."""

    low: float
    high: float
    pixels: int
    accuracy: float | None = Field(description="Share of its pixels that are right; `None` without pixels.")
    confidence: float | None = Field(description="Their mean confidence.")


class SliceMetrics(Settings):
    """The metrics of one slice."""

    column: str | None = Field(default=None, description="Slicing column; `None` for the whole split.")
    value: str | None = Field(default=None, description="The column's value in this slice.")
    pictures: int
    mean_iou: Estimate
    mean_dice: Estimate
    pixel_accuracy: Estimate
    iou: dict[str, Estimate] = Field(description="Class → IoU.")
    dice: dict[str, Estimate] = Field(description="Class → Dice.")
    confusion: tuple[tuple[int, ...], ...] = Field(description="Pixels, [truth][prediction].")
    further: dict[str, Estimate] = Field(
        default={}, description="Metrics of `evaluator.metrics`, such as `boundary_iou/<class>`."
    )
    reliability: tuple[ConfidenceBin, ...] = Field(
        default=(), description="Bins of the confidence, if `evaluator.metrics` has `calibration`."
    )

    @property
    def truth_pixels(self) -> dict[str, int]:
        """Class → its pixels in the truth."""
        return {name: sum(row) for name, row in zip(self.iou, self.confusion, strict=True)}

    @property
    def occurring(self) -> tuple[str, ...]:
        """The classes that have pixels in the truth."""
        return tuple(name for name, pixels in self.truth_pixels.items() if pixels)

    @property
    def absent(self) -> tuple[str, ...]:
        """The classes without a pixel in the truth, whose metrics are unknown."""
        return tuple(name for name, pixels in self.truth_pixels.items() if not pixels)

    @property
    def averaged(self) -> tuple[str, ...]:
        """The classes that the means go over: those that occur in the truth or the prediction."""
        return tuple(name for name, estimate in self.iou.items() if estimate.value is not None)

    def metric(self, name: str) -> Estimate:
        """Returns the estimate of the metric `name`, such as `mean_iou` or `iou/<class>`.

        Raises:
            KeyError: no metric has that name.
        """
        family, _, class_name = name.partition("/")
        if class_name and family in ("iou", "dice"):
            return getattr(self, family)[class_name]
        if name in ("mean_iou", "mean_dice", "pixel_accuracy"):
            return getattr(self, name)
        return self.further[name]

    def estimates(self) -> Iterator[tuple[str, Estimate]]:
        """Yields all metrics under the names that `metric` takes."""
        for name in ("mean_iou", "mean_dice", "pixel_accuracy"):
            yield name, getattr(self, name)
        for family, by_class in (("iou", self.iou), ("dice", self.dice)):
            for class_name, estimate in by_class.items():
                yield f"{family}/{class_name}", estimate
        yield from self.further.items()


class Measured(Settings):
    """One model's metrics on the configured split."""

    overall: SliceMetrics
    slices: tuple[SliceMetrics, ...] = ()


class Check(Settings):
    """Result of one threshold on one slice."""

    metric: str
    slice: str = Field(description="`overall` or `column=value`.")
    kind: Literal["at_least", "at_most", "may_drop", "better_than_constant", "measured"] = Field(
        description="What is checked; `measured` is always checked: at least two classes have pixels."
    )
    value: float | None
    bound: float = Field(
        description="The lowest value that passes, for at_most the highest: for may_drop, the baseline's value less "
        "the drop; for better_than_constant, the value that must be exceeded; for measured, a number of classes."
    )
    passed: bool
    detail: str = Field(description="One sentence: `mean_iou 0.412 on overall is below the threshold 0.75`.")


class Verdict(Settings):
    """Whether the model is blessed, and why."""

    blessed: bool
    baseline_version: int | None = Field(description="The registry's version that the model was compared with.")
    note: str = Field(description="One sentence, such as that there was no baseline.")
    checks: tuple[Check, ...]
    warnings: tuple[str, ...] = Field(
        default=(), description="Warnings, independent of the verdict, one sentence each."
    )


class Evaluation(Settings):
    """All results of an evaluation."""

    split: str
    classes: tuple[str, ...]
    candidate: Measured
    baseline: Measured | None = None
    verdict: Verdict
    classes_without_pixels: tuple[str, ...] = Field(
        default=(), description="Classes without a pixel in the ground truth of the split."
    )
    classes_averaged: int | None = Field(default=None, description="Number of classes that the means go over.")
    constant_prediction: dict[str, float] = Field(
        default={}, description="Metric → the best value that predicting one class everywhere reaches on the split."
    )
