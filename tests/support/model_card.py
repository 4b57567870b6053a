"""A version and a run's configuration, of which model cards are made."""

from __future__ import annotations

import datetime
from typing import Any

from registry.hashing import content_hash
from registry.manifest import Manifest

CONFIG: dict[str, Any] = {
    "name": "nuclei",
    "data": {"bands": None},
    "transform": {"mode": "crop", "height": 192, "width": 128},
    "trainer": {"model": {"type": "encoder_unet", "encoder": {"name": "mobilenet", "weights": "none"}}},
}


def manifest() -> Manifest:
    return Manifest(
        version=3,
        model_name="nuclei",
        created=datetime.datetime(2026, 11, 27, tzinfo=datetime.timezone.utc),
        content_hash=content_hash({}),
        files={},
        data_fingerprint="d",
        baseline_version=None,
        metrics={},
        config={},
        software={"segpipe": "1"},
    )
