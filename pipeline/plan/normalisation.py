"""Normalisation of the input."""

from __future__ import annotations

import numpy as np

from pipeline.config.run_config import RunConfig
from pipeline.plan.fingerprint import Fingerprint
from pipeline.plan.proposal import Proposal


def plan_normalisation(fingerprint: Fingerprint, config: RunConfig, mode: str) -> Proposal:
    """Proposes `picture` if images differ more in brightness than the pixels of an image do, else the default."""
    spread = float(np.std([image.brightness for image in fingerprint.images]))
    contrast = float(np.median([image.contrast for image in fingerprint.images]))
    compared = f"the mean brightness of images varies by {spread:.2f}, the pixels of an image by {contrast:.2f}"
    encoder = config.trainer.model.encoder
    letterbox = mode == "resize" and config.transform.aspect == "letterbox"
    if spread > contrast and not letterbox:
        return Proposal("transform.normalize", "picture", f"{compared}, so each image has its own mean and deviation")
    reason = f"{compared}; aspect letterbox excludes picture" if spread > contrast else compared
    if encoder is not None:
        return Proposal("transform.normalize", "none", f"{reason}, and {encoder.name} scales images itself")
    return Proposal("transform.normalize", "channel", f"{reason}, so the data's mean and deviation suit all images")
