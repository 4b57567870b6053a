"""Scales the strength of an augmentation."""

from __future__ import annotations

from typing import Any

import annotated_types

from common.settings import Settings
from components.trainer.augmentation.config import (
    Augmentation,
    Brightness,
    CentralCrop,
    Contrast,
    Crop,
    Cutout,
    Gamma,
    Hue,
    Interval,
    Rotate,
    Saturation,
)

_LEAST_SHARE = 0.05
"""Fields that are a remaining share of the image: a smaller value is a stronger change."""
_LEAST_STRENGTH = 1e-6
"""Exact changes, which have no strength."""


def with_strength(augmentation: Augmentation, strength: float) -> Augmentation:
    """Returns `augmentation` scaled by `strength`: 0 is none, 1 is unchanged, above 1 is stronger.

    Ranges are multiplied by `strength`, within the limits of the configuration.  Flips, 90° rotations and inversion
    have none: below 1 they become rarer, above 1 they stay unchanged.
    """
    changes: dict[str, Any] = {
        name: getattr(augmentation, name) * min(strength, 1.0)
        for name in ("flip_horizontal", "flip_vertical", "quarter_turns", "invert")
    }
    for name in Augmentation.model_fields:
        section = getattr(augmentation, name)
        if isinstance(section, Settings):
            changes[name] = (
                section.model_copy(update=_stretched(section, strength)) if strength > _LEAST_STRENGTH else None
            )
    return augmentation.model_copy(update=changes)


def _stretched(section: Settings, strength: float) -> dict[str, Any]:
    """Returns the ranges of one kind of change, times `strength`."""
    match section:
        case Rotate(degrees=degrees):
            return {"degrees": _at_most(section, "degrees", degrees * strength)}
        case Brightness() | Contrast() | Gamma() | Saturation() | Hue():
            return {"range": _at_most(section, "range", section.range * strength)}
        case Crop(scale=scale, ratio=(narrowest, widest)):
            return {"scale": _less_kept(scale, strength), "ratio": (narrowest**strength, widest**strength)}
        case CentralCrop(side=side):
            return {"side": _less_kept(side, strength)}
        case Cutout(side=(least, largest)):
            return {"side": (min(least * strength, 1.0), min(largest * strength, 1.0))}
    raise TypeError(f"{type(section).__name__} has no strength")


def _less_kept(kept: Interval, strength: float) -> Interval:
    """Scales the share outside a window by `strength`."""
    least, largest = (max(1 - (1 - share) * strength, min(share, _LEAST_SHARE)) for share in kept)
    return least, largest


def _at_most(section: Settings, name: str, value: float) -> float:
    """Clips a value to the limits of the configuration."""
    rules = type(section).model_fields[name].metadata
    return min([value, *(float(rule.le) for rule in rules if isinstance(rule, annotated_types.Le))])  # type: ignore[arg-type]
