"""Configuration of the serving check."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from common.settings import Settings


class ServingCheckConfig(Settings):
    """The check of the exported model behind a server, before it may be pushed."""

    engine: Literal["auto", "embedded", "tensorflow_model_server"] = Field(
        default="auto",
        description="The server to use; `auto` takes `tensorflow_model_server` if it is on the PATH. "
        "That one listens on all addresses during the check.",
    )
    pictures: int = Field(default=8, ge=1, le=1000, description="Number of images of the eval split to send.")
    min_agreement: float = Field(
        default=0.995,
        ge=0,
        le=1,
        description="Share of an image's pixels that must get the class that the training graph gives them. It is "
        "not 1, since two libraries or devices may break a tie differently.",
    )
    max_milliseconds: float = Field(
        default=5000,
        gt=0,
        description="Limit on the median time of an image, sent alone over gRPC, on this machine's CPU.",
    )
    max_megabytes: float = Field(
        default=4096, gt=0, description="Limit on the growth of the server's peak memory over a server without a model."
    )
    start_seconds: float = Field(default=180, gt=0, description="Time for the server to start and load the model.")
