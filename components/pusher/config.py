"""Settings of the pusher: whether a blessed model is served at once or tried as a canary first."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from common.settings import Settings
from registry.canary_policy import CanaryPolicy


class PusherConfig(Settings):
    """What happens to a model that is blessed and passed the serving check."""

    strategy: Literal["serve", "canary"] = Field(
        default="serve",
        description="`serve`: it is served at once; `canary`: it becomes the canary, is compared with the served "
        "version on requests, and is promoted or rolled back automatically. The first version of a registry is always "
        "served.",
    )
    canary: CanaryPolicy | None = Field(
        default=None, description="How a canary is tried and decided; only with the strategy `canary`."
    )

    @model_validator(mode="after")
    def _policy_fits(self) -> PusherConfig:
        if self.canary is not None and self.strategy != "canary":
            raise ValueError("canary needs strategy: canary; with strategy: serve a version is served at once")
        return self

    @property
    def policy(self) -> CanaryPolicy | None:
        """Policy of canaries; `None` if versions are served at once."""
        return None if self.strategy == "serve" else self.canary or CanaryPolicy()
