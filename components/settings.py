"""The base of every typed configuration object."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """A part of the configuration: immutable, and closed to keys that it does not know.

    A misspelt key is thus an error with the key's path, never a silent default.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
