"""What a run finds when it starts."""

from __future__ import annotations

from typing import NamedTuple


class Found(NamedTuple):
    """What a run finds when it starts; a change of any of it makes the steps that depend on it run again."""

    data_fingerprint: str
    drift_baseline: str
    registry_state: str
    holdings_state: str
    resume_root: str
    encoder_weights: str = ""
    initial_model: str = ""
