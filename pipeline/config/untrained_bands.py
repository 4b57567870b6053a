"""Refusal of commands that need the network's input, which is 8-bit RGB so far."""

from __future__ import annotations

from common.errors import UserError
from pipeline.config.run_config import RunConfig


def refuse_bands(config: RunConfig) -> None:
    """Raises `UserError` if `data.bands` is set, which ingestion and `segpipe check` read, but Transform does not."""
    if config.data.bands:
        raise UserError(
            "data.bands is read by `segpipe check` only: models are trained on 8-bit RGB in this version; leave it out "
            "to train on that"
        )
