"""Settings against imbalance: class weights, windows on rare classes, and shares of slice values."""

from __future__ import annotations

import math

from common.plurals import counted
from components.trainer.windows.per_epoch import MOST_STEPS, covering_windows, default_windows_per_epoch
from pipeline.config.run_config import RunConfig
from pipeline.plan.fingerprint import MOST_VALUES, Fingerprint
from pipeline.plan.proposal import Proposal

IMBALANCED = 10.0
"""Pixels of the most frequent class for one of the rarest, above which the rarest needs help."""
FOREGROUND = 0.33
"""Share of the windows that are centred on a rare class, as in nnU-Net."""
_LEAST_SHARE = 0.01


def plan_class_weights(fingerprint: Fingerprint, config: RunConfig) -> list[Proposal]:
    """Proposes weights for imbalanced classes if nothing in the loss weights classes alike by construction."""
    if config.trainer.class_weights is not None:
        return []
    ratio, rarest = _imbalance(fingerprint)
    overlap = [term.type for term in config.trainer.loss if not term.weighted]
    if ratio <= IMBALANCED:
        weights, reason = "none", f"the most frequent class has {ratio:.0f} times the pixels of {rarest!r}, the rarest"
    elif overlap:
        weights, reason = "none", f"{rarest!r} is rare, but {overlap[0]} in the loss weights all classes alike"
    else:
        weights = "inverse_root"
        reason = f"the most frequent class has {ratio:.0f} times the pixels of {rarest!r}; dice in the loss helps too"
    return [Proposal("transform.class_weights", weights, reason)]


def plan_windows(fingerprint: Fingerprint, config: RunConfig, size: tuple[int, int], batch: int) -> list[Proposal]:
    """Proposes how windows of `size` are drawn."""
    images = len(fingerprint.images)
    covering = covering_windows(fingerprint.pixels(config.transform.scale), size[0] * size[1])
    per_epoch = default_windows_per_epoch(images, covering, batch)
    proposals = [
        Proposal(
            "trainer.windows.per_epoch",
            per_epoch,
            f"{counted(covering, 'window covers', 'windows cover')} the {counted(images, 'training image')} once; "
            f"at least one of each image, and no more than {MOST_STEPS} steps",
        )
    ]
    ratio, rarest = _imbalance(fingerprint)
    if ratio > IMBALANCED:
        reason = f"the most frequent class has {ratio:.0f} times the pixels of {rarest!r}, so some windows look for it"
        proposals.append(Proposal("trainer.windows.foreground", FOREGROUND, reason))
    return proposals + _shares(fingerprint, config)


def _imbalance(fingerprint: Fingerprint) -> tuple[float, str]:
    """Returns the ratio of the largest and the smallest class that occur, and the name of the smallest."""
    present = [
        (pixels, name) for pixels, name in zip(fingerprint.class_pixels, fingerprint.classes, strict=True) if pixels
    ]
    least, name = min(present)
    return max(present)[0] / least, name


def _shares(fingerprint: Fingerprint, config: RunConfig) -> list[Proposal]:
    """Proposes shares in proportion to the root of the number of images (Kang et al. 2020, "square-root sampling")."""
    columns = [config.trainer.windows.column, config.data.split.stratify, *config.evaluator.slices]
    for column in columns:
        counts = fingerprint.counts(column) if column else {}
        if column is None or not 2 <= len(counts) <= MOST_VALUES:
            continue
        total = sum(map(math.sqrt, counts.values()))
        shares = {value: max(_LEAST_SHARE, round(math.sqrt(count) / total, 2)) for value, count in counts.items()}
        common, rare = max(counts, key=lambda value: counts[value]), min(counts, key=lambda value: counts[value])
        reason = (
            f"by the root of the number of images of each {column}, from {counts[common]} of {common!r} to "
            f"{counts[rare]} of {rare!r}, so that rare ones are seen"
        )
        return [Proposal("trainer.windows.shares", {column: shares}, reason)]
    return []
