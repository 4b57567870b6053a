"""Chooses the source of pairs for a format of annotations."""

from __future__ import annotations

from collections.abc import Sequence

from components.example_gen.annotations.config import DrawnSource, InstancesSource, LabelmeSource, YoloSource
from components.example_gen.annotations.documents import DocumentPairs
from components.example_gen.annotations.drawn_pairs import DrawnPairs
from components.example_gen.annotations.instances import InstancePairs
from components.example_gen.annotations.labelme import LabelmePairs
from components.example_gen.annotations.yolo import YoloPairs


def open_annotated(source: DrawnSource, classes: Sequence[str], max_pixels: int) -> DrawnPairs:
    """Returns the pairs that `source` describes."""
    if isinstance(source, InstancesSource):
        return InstancePairs(source, classes, max_pixels)
    if isinstance(source, LabelmeSource):
        return LabelmePairs(source, classes, max_pixels)
    if isinstance(source, YoloSource):
        return YoloPairs(source, classes, max_pixels)
    return DocumentPairs(source, classes, max_pixels)
