"""Names of the further metrics, for what reads a configuration without SciPy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from components.evaluator.families.config import Family, Objects

BOUNDARY_IOU = "boundary_iou"
SURFACE_DICE = "surface_dice"
HD95 = "hd95"
OBJECT_PRECISION = "object_precision"
OBJECT_RECALL = "object_recall"
OBJECT_F1 = "object_f1"
PANOPTIC_QUALITY = "panoptic_quality"

LOWER_IS_BETTER = (HD95,)
"""Those that are distances."""
LABELS = {
    BOUNDARY_IOU: "boundary IoU",
    SURFACE_DICE: "surface Dice",
    HD95: "HD95",
    OBJECT_PRECISION: "object precision",
    OBJECT_RECALL: "object recall",
    OBJECT_F1: "object F1",
    PANOPTIC_QUALITY: "panoptic quality",
}
"""Metric → how it is called where people read it."""

_OF_TYPE = {
    "boundary": (BOUNDARY_IOU,),
    "surface": (SURFACE_DICE, HD95),
    "objects": (OBJECT_PRECISION, OBJECT_RECALL, OBJECT_F1, PANOPTIC_QUALITY),
}


def metric_names(families: Iterable[Family], classes: Sequence[str]) -> tuple[str, ...]:
    """Returns the name of each metric of each class, such as `boundary_iou/nucleus`."""
    return tuple(
        f"{metric}/{name}"
        for family in families
        for name in measured_classes(family, classes)
        for metric in _OF_TYPE[family.type]
    )


def measured_classes(family: Family, classes: Sequence[str]) -> Sequence[str]:
    """Returns the classes that a family measures."""
    if not isinstance(family, Objects):
        return classes
    return classes[1:] if family.classes is None else family.classes
