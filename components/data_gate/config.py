"""When a batch of data may reach training."""

from __future__ import annotations

from pydantic import Field

from components.settings import Settings


class ValidationConfig(Settings):
    """The gate between the data and all that is expensive."""

    data_schema: str | None = Field(
        default=None,
        alias="schema",
        description="The curated schema; `schemas/<name>.pbtxt` without it. `segpipe schema infer` writes a first one.",
    )
    max_quarantined: float = Field(
        default=0.05, ge=0, le=1, description="Share of the pairs found that may be quarantined."
    )
    min_pairs: int = Field(default=1, ge=1, description="Pairs that each split must have.")
    drift: bool = Field(
        default=True, description="Compare with the data last let through, by the schema's drift comparators."
    )
    skew: bool = Field(default=True, description="Compare the splits, by the schema's skew comparators.")
