"""What an evaluation found, in a form that needs no TFMA to be read: `metrics.json` in the evaluation artifact."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from components.settings import Settings

RESULTS_FILE = "metrics.json"


class Estimate(Settings):
    """A metric's value with its 95 % interval; `None` where there is nothing to divide by (class absent)."""

    value: float | None
    low: float | None = None
    high: float | None = None


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

    def metric(self, name: str) -> Estimate:
        """The estimate that a threshold calls `name`, such as `mean_iou` or `iou/<class>`.

        Raises:
            KeyError: no metric has that name.
        """
        family, _, class_name = name.partition("/")
        if class_name and family in ("iou", "dice"):
            return getattr(self, family)[class_name]
        if name in ("mean_iou", "mean_dice", "pixel_accuracy"):
            return getattr(self, name)
        raise KeyError(name)


class Measured(Settings):
    """One model's metrics on the judging split."""

    overall: SliceMetrics
    slices: tuple[SliceMetrics, ...] = ()


class Check(Settings):
    """One bound, on one slice."""

    metric: str
    slice: str = Field(description="`overall` or `column=value`.")
    kind: Literal["at_least", "may_drop"]
    value: float | None
    bound: float = Field(description="The lowest value that passes: for may_drop, the baseline's value less the drop.")
    passed: bool
    detail: str = Field(description="One sentence: `mean_iou 0.412 on overall is under the bound 0.75`.")


class Verdict(Settings):
    """Whether the model is blessed, and why."""

    blessed: bool
    baseline_version: int | None = Field(description="The registry's version that it was compared with.")
    note: str = Field(description="One sentence for a person, such as that there was no baseline.")
    checks: tuple[Check, ...]


class Evaluation(Settings):
    """Everything that an evaluation found."""

    split: str
    classes: tuple[str, ...]
    candidate: Measured
    baseline: Measured | None = None
    verdict: Verdict
