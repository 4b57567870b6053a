"""Pre-annotations for CVAT: "CVAT for images 1.1" (docs.cvat.ai, XML annotation format), with a mask for each class.

CVAT finds an image of the task by its name.  A mask is the window around its pixels, whose runs of 0 and 1 by turns go
along the rows, beginning with 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt

from common.palette import hex_colour
from pipeline.labelling.pre_annotation import PreAnnotation

ANNOTATIONS = ".cvat.xml"


class CvatTasks:
    """Collects the annotations of images."""

    def __init__(self, classes: Sequence[str]) -> None:
        self._classes = classes
        self._images: dict[int, ElementTree.Element] = {}

    def add(self, rank: int, image: PreAnnotation) -> None:
        """Adds an image; images are written in the order of their ranks."""
        height, width = image.mask_HW.shape
        element = ElementTree.Element("image", name=image.path, width=str(width), height=str(height))
        for index, is_class_HW in image.classes():
            ElementTree.SubElement(element, "mask", _mask(self._classes[index], is_class_HW))
        self._images[rank] = element

    def files(self) -> dict[str, str]:
        """Returns the content of the file, by its suffix."""
        root = ElementTree.Element("annotations")
        ElementTree.SubElement(root, "version").text = "1.1"
        _add_labels(root, self._classes)
        for number, rank in enumerate(sorted(self._images)):
            self._images[rank].set("id", str(number))
            root.append(self._images[rank])
        ElementTree.indent(root)
        text = ElementTree.tostring(root, encoding="unicode")
        return {ANNOTATIONS: f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'}


def row_runs(mask_HW: npt.NDArray[np.bool_]) -> list[int]:
    """Returns the lengths of runs of 0 and 1 by turns along the rows; the first is of 0 and may be empty."""
    flat_N = mask_HW.ravel()
    edges = np.flatnonzero(np.diff(flat_N)) + 1
    lengths: list[int] = np.diff(np.concatenate([[0], edges, [flat_N.size]])).tolist()
    return [0, *lengths] if flat_N[0] else lengths


def _add_labels(root: ElementTree.Element, classes: Sequence[str]) -> None:
    task = ElementTree.SubElement(ElementTree.SubElement(root, "meta"), "task")
    labels = ElementTree.SubElement(task, "labels")
    for index, name in enumerate(classes):
        if index:
            label = ElementTree.SubElement(labels, "label")
            for key, text in (("name", name), ("color", hex_colour(index)), ("type", "mask"), ("attributes", "")):
                ElementTree.SubElement(label, key).text = text


def _mask(label: str, is_class_HW: npt.NDArray[np.bool_]) -> dict[str, str]:
    rows, columns = (np.flatnonzero(is_class_HW.any(axis=axis)) for axis in (1, 0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    return {
        "label": label,
        "source": "auto",
        "occluded": "0",
        "rle": ", ".join(map(str, row_runs(is_class_HW[top:bottom, left:right]))),
        "left": str(left),
        "top": str(top),
        "width": str(right - left),
        "height": str(bottom - top),
        "z_order": "0",
    }
