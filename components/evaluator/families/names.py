"""Names of the further metrics, for what reads a configuration without SciPy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from common.signatures import MASK_BYTES, RELIABILITY
from components.evaluator.families.config import Calibration, Family, Objects

BOUNDARY_IOU = "boundary_iou"
SURFACE_DICE = "surface_dice"
HD95 = "hd95"
OBJECT_PRECISION = "object_precision"
OBJECT_RECALL = "object_recall"
OBJECT_F1 = "object_f1"
PANOPTIC_QUALITY = "panoptic_quality"
ECE = "ece"
MCE = "mce"
BRIER_SCORE = "brier_score"

DISTANCES = (HD95,)
"""Those that may exceed 1."""
ERRORS = (ECE, MCE, BRIER_SCORE)
"""Those of calibration."""
LOWER_IS_BETTER = (*DISTANCES, *ERRORS)
LABELS = {
    BOUNDARY_IOU: "boundary IoU",
    SURFACE_DICE: "surface Dice",
    HD95: "HD95",
    OBJECT_PRECISION: "object precision",
    OBJECT_RECALL: "object recall",
    OBJECT_F1: "object F1",
    PANOPTIC_QUALITY: "panoptic quality",
    ECE: "ECE",
    MCE: "MCE",
    BRIER_SCORE: "Brier score",
}
"""Metric → how it is called where people read it."""

_OF_TYPE = {
    "boundary": (BOUNDARY_IOU,),
    "surface": (SURFACE_DICE, HD95),
    "objects": (OBJECT_PRECISION, OBJECT_RECALL, OBJECT_F1, PANOPTIC_QUALITY),
    "calibration": (ECE,),
}
_OF_ALL_PIXELS = {"calibration": (ECE, MCE, BRIER_SCORE)}


def metric_names(families: Iterable[Family], classes: Sequence[str]) -> tuple[str, ...]:
    """Returns the name of each metric, such as `ece`, and of each class, such as `boundary_iou/nucleus`."""
    names: list[str] = []
    for family in families:
        names += _OF_ALL_PIXELS.get(family.type, ())
        names += [f"{metric}/{name}" for name in measured_classes(family, classes) for metric in _OF_TYPE[family.type]]
    return tuple(names)


def needed_outputs(families: Iterable[Family]) -> tuple[str, ...]:
    """Returns the outputs of the model's signature `evaluate_masks` that the families count from."""
    return tuple(sorted({RELIABILITY if isinstance(family, Calibration) else MASK_BYTES for family in families}))


def measured_classes(family: Family, classes: Sequence[str]) -> Sequence[str]:
    """Returns the classes that a family measures."""
    if not isinstance(family, Objects | Calibration):
        return classes
    if family.classes is not None:
        return family.classes
    return classes[1:] if isinstance(family, Objects) else classes
