"""Chooses the source of pairs for a format of annotations."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from components.example_gen.annotations.config import DrawnSource, InstancesSource, LabelmeSource, YoloSource
from components.example_gen.annotations.dated_pairs import DatedPairs, is_of_dates
from components.example_gen.annotations.documents import DocumentPairs
from components.example_gen.annotations.drawn_pairs import DrawnPairs
from components.example_gen.annotations.instances import InstancePairs
from components.example_gen.annotations.labelme import LabelmePairs
from components.example_gen.annotations.yolo import YoloPairs


def open_annotated(source: DrawnSource, classes: Sequence[str], max_pixels: int) -> DrawnPairs | DatedPairs:
    """Returns the pairs that `source` describes, of one date or several."""
    open_one = partial(open_drawn, classes=tuple(classes), max_pixels=max_pixels)
    return DatedPairs(source, open_one) if is_of_dates(source) else open_one(source)


def open_drawn(source: DrawnSource, classes: Sequence[str], max_pixels: int) -> DrawnPairs:
    """Returns the pairs that `source` describes, whose paths have no date."""
    if isinstance(source, InstancesSource):
        return InstancePairs(source, classes, max_pixels)
    if isinstance(source, LabelmeSource):
        return LabelmePairs(source, classes, max_pixels)
    if isinstance(source, YoloSource):
        return YoloPairs(source, classes, max_pixels)
    return DocumentPairs(source, classes, max_pixels)
