"""Manifest of a version."""

from __future__ import annotations

import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Manifest(BaseModel):
    """Metadata required for every version; a version without a manifest does not exist."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: int = Field(ge=1)
    model_name: str
    created: datetime.datetime
    content_hash: str = Field(description="SHA-256 over the sorted paths and hashes of the files.")
    files: dict[str, str] = Field(description="Path relative to the version's folder → SHA-256 of the file.")
    data_fingerprint: str
    baseline_version: int | None = Field(description="The version that it was judged against.")
    metrics: dict[str, float] = Field(description="Overall metrics on the judging split.")
    config: dict[str, Any] = Field(description="The run's configuration.")
    software: dict[str, str] = Field(description="Versions of segpipe, TFX and TensorFlow.")
