"""Result of the monitor: the windows and what moved in them, as JSON."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from common.settings import Settings

State = Literal["drift", "no drift", "too few images", "no reference"]


class FeatureResult(Settings):
    """One feature of a window against the reference."""

    name: str = Field(
        description="`class_fraction/<class>`, `mean_confidence`, `brightness`, `contrast`, `height`, `width`."
    )
    reference_median: float
    window_median: float
    distance: float = Field(description="Kolmogorov–Smirnov distance, 0…1.")
    p_value: float = Field(description="Corrected for the number of features (Holm).")
    drifted: bool
    unknown: int = Field(default=0, description="Images of the window whose value the log does not have.")


class WindowResult(Settings):
    """A window of the requests that one version answered."""

    version: int
    begin: datetime.datetime
    end: datetime.datetime
    state: State
    detail: str = Field(description="One sentence: what moved, or why the window was not judged.")
    images: int = Field(description="Different images that were answered.")
    repeated: int = Field(default=0, description="Images that came again, which count once.")
    refused: int = Field(default=0, description="Images that were not answered.")
    features: tuple[FeatureResult, ...] = ()
    untested: tuple[str, ...] = Field(default=(), description="Features with too few known values in the window.")

    @property
    def is_judged(self) -> bool:
        """Whether it was compared with the reference."""
        return self.state in ("drift", "no drift")

    @property
    def drifted(self) -> tuple[FeatureResult, ...]:
        """The features that drifted, the largest distance first."""
        return tuple(sorted((each for each in self.features if each.drifted), key=lambda each: -each.distance))


class MonitorReport(Settings):
    """All windows of a call, oldest first."""

    model: str
    registry: str
    log: str
    written: datetime.datetime
    served: int | None
    served_created: datetime.datetime | None = Field(description="When the served version was pushed.")
    false_alarms: float = Field(description="Probability of a false alarm in a window, over all its features.")
    windows: tuple[WindowResult, ...]
    notes: tuple[str, ...] = Field(default=(), description="What was assumed, ignored or could not be known.")
    retraining: str | None = Field(default=None, description="What was done about drift, one sentence.")

    def newest(self) -> list[WindowResult]:
        """Returns the newest window of each version."""
        return list({window.version: window for window in self.windows}.values())

    def of_version(self, version: int) -> list[WindowResult]:
        """Returns the windows of a version, oldest first."""
        return [window for window in self.windows if window.version == version]


def drifted_in_a_row(windows: Sequence[WindowResult]) -> int:
    """Returns how many windows at the end of the list have drifted."""
    count = 0
    for window in reversed(windows):
        if window.state != "drift":
            break
        count += 1
    return count
