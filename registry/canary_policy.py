"""Policy of a canary that is decided automatically; it is recorded with the canary."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from common.settings import Settings


class CanaryLimits(Settings):
    """How much worse than the served version a canary may be; what chance explains does not count."""

    error_rate: float = Field(
        default=0.01, ge=0, le=1, description="Largest increase of the share of images that are not answered."
    )
    latency_ratio: float = Field(
        default=1.5, ge=1, description="Largest ratio of the median latency to that of the served version."
    )
    agreement: float = Field(
        default=0.8,
        ge=0,
        le=1,
        description="Least share of pixels to which both versions assign the same class, mean over the images; it is "
        "known only where both versions predict the same image.",
    )
    confidence: float = Field(default=0.05, ge=0, le=1, description="Largest decrease of the mean confidence.")
    class_fraction: float = Field(
        default=0.1, ge=0, le=1, description="Largest change of the mean share of pixels of any class."
    )


class CanaryPolicy(Settings):
    """How a canary is tried and decided."""

    mode: Literal["shadow", "share"] = Field(
        default="shadow",
        description="`shadow`: the embedded server answers all requests with the served version, and predicts a share "
        "of their images with both versions afterwards; `share`: it answers that share with the canary, and with the "
        "served version if the canary fails.",
    )
    percent: int = Field(default=10, ge=1, le=99, description="Share of the requests, in percent.")
    images: int = Field(default=500, ge=1, description="Number of compared images after which the canary is decided.")
    least_images: int = Field(
        default=50, ge=10, description="Number of images that any decision needs, early or at the end of the time."
    )
    minutes: float = Field(
        default=1440, gt=0, description="Time after which it is decided with fewer images, at least `least_images`."
    )
    when_too_few: Literal["stay", "roll_back"] = Field(
        default="stay",
        description="What happens if there are fewer than `least_images` after `minutes`: it stays a canary until "
        "there are enough, or it is rolled back.",
    )
    false_alarms: float = Field(
        default=0.01,
        gt=0,
        lt=0.5,
        description="Probability that a canary which is equal to the served version is rolled back, over all "
        "comparisons.",
    )
    limits: CanaryLimits = Field(default=CanaryLimits(), description="How much worse the canary may be.")

    @model_validator(mode="after")
    def _enough_images(self) -> CanaryPolicy:
        if self.images < self.least_images:
            raise ValueError(
                f"images ({self.images}) must be at least least_images ({self.least_images}): a decision after so many "
                "images needs them"
            )
        return self
