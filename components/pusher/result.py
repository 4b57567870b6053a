"""Result of the pusher: `pushed.json` in its artifact."""

from __future__ import annotations

from pydantic import Field

from common.settings import Settings

PUSHED_FILE = "pushed.json"


class PushResult(Settings):
    """Whether a version was created, and what is served now."""

    pushed: bool = Field(description="Whether a new version was created.")
    version: int | None = Field(description="The version that holds this model, new or already there.")
    served: int | None = Field(description="The version that is served after the step.")
    canary: int | None = Field(default=None, description="The canary after the step; null if there is none.")
    registry: str
    note: str = Field(description="One sentence: `version 3 pushed and served`, `not blessed: version 2 stays`.")
