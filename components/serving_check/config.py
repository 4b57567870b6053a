"""What a model must keep to when it is served."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from common.settings import Settings


class ServingCheckConfig(Settings):
    """The trial of the exported model behind a server, before it may be pushed."""

    engine: Literal["auto", "embedded", "tensorflow_model_server"] = Field(
        default="auto",
        description="The server that it is tried in; `auto` takes `tensorflow_model_server` where it is on the PATH. "
        "That one listens on all addresses for the while.",
    )
    pictures: int = Field(default=8, ge=1, le=1000, description="Pictures of the eval split that are sent.")
    min_agreement: float = Field(
        default=0.995,
        ge=0,
        le=1,
        description="Share of a picture's pixels that must get the class that the training graph gives them. It is "
        "not 1, since two libraries or devices may settle a tie in different ways.",
    )
    max_milliseconds: float = Field(
        default=5000, gt=0, description="What the median picture may take, sent alone over gRPC, on this machine's CPU."
    )
    max_megabytes: float = Field(
        default=4096, gt=0, description="By how much the server's memory may grow, at its peak, over one without model."
    )
    start_seconds: float = Field(default=180, gt=0, description="Time for the server to start and load the model.")
