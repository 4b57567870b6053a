"""The base of every typed configuration object."""

from __future__ import annotations

import re

from pydantic import AfterValidator, BaseModel, ConfigDict


class Settings(BaseModel):
    """A part of the configuration: immutable, and closed to keys that it does not know.

    A misspelt key is thus an error with the key's path, never a silent default.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def matching(pattern: str, otherwise: str) -> AfterValidator:
    """The check that the whole of a text matches; of one that does not it says: 'TEXT' is no `otherwise`."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"{text!r} is no {otherwise}")
        return text

    return AfterValidator(check)
