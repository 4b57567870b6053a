"""The values in the masks of public data sets, and the names of their classes."""

from __future__ import annotations

from collections.abc import Mapping

_VOC_NAMES = (
    "background aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike person "
    "pottedplant sheep sofa train tvmonitor"
)
VOC: Mapping[int, str] = dict(enumerate(_VOC_NAMES.split()))
"""Pascal VOC: palette indices of SegmentationClass; 255 is the border of an object."""

CITYSCAPES: Mapping[int, str] = {
    7: "road",
    8: "sidewalk",
    11: "building",
    12: "wall",
    13: "fence",
    17: "pole",
    19: "traffic light",
    20: "traffic sign",
    21: "vegetation",
    22: "terrain",
    23: "sky",
    24: "person",
    25: "rider",
    26: "car",
    27: "truck",
    28: "bus",
    31: "train",
    32: "motorcycle",
    33: "bicycle",
}
"""Cityscapes: ids (`labelIds`) of the 19 classes that count in its benchmark."""

CITYSCAPES_IGNORED: Mapping[int, str] = {
    0: "unlabeled",
    1: "ego vehicle",
    2: "rectification border",
    3: "out of roi",
    4: "static",
    5: "dynamic",
    6: "ground",
    9: "parking",
    10: "rail track",
    14: "guard rail",
    15: "bridge",
    16: "tunnel",
    18: "polegroup",
    29: "caravan",
    30: "trailer",
}
"""Cityscapes: ids that do not count in its benchmark; void unless they are asked for."""
