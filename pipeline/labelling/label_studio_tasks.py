"""Tasks for Label Studio with pre-annotations (labelstud.io/guide/predictions), and its labelling interface.

A prediction has a brush region for each class.  Its names of tag and image must be those of the project's labelling
interface, so that is written too.
"""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

from common.palette import hex_colour
from pipeline.labelling.brush_encoding import encode_brush
from pipeline.labelling.pre_annotation import PreAnnotation

LOCAL_FILES = "/data/local-files/?d="
"""Address of Label Studio's local storage; the path is relative to its LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT."""
TASKS, INTERFACE = ".label-studio.json", ".label-studio.xml"
_TAG, _IMAGE = "label", "image"


class LabelStudioTasks:
    """Collects tasks."""

    def __init__(self, classes: Sequence[str], model: str, address: str = LOCAL_FILES) -> None:
        """Starts with none.

        Args:
            classes: Names of the classes.
            model: The version that the predictions are said to come from.
            address: What stands before an image's path, percent-encoded, in its address.
        """
        self._classes = classes
        self._model = model
        self._address = address
        self._tasks: dict[int, Mapping[str, Any]] = {}

    def add(self, rank: int, image: PreAnnotation) -> None:
        """Adds a task; tasks are written in the order of their ranks."""
        result = _regions(image, self._classes)
        self._tasks[rank] = {
            "data": {_IMAGE: self._address + urllib.parse.quote(image.path)},
            "predictions": [{"model_version": self._model, "score": image.score, "result": result}],
        }

    def files(self) -> dict[str, str]:
        """Returns the content of the files, by their suffix."""
        tasks = [self._tasks[rank] for rank in sorted(self._tasks)]
        return {TASKS: json.dumps(tasks, ensure_ascii=False) + "\n", INTERFACE: labelling_interface(self._classes)}


def labelling_interface(classes: Sequence[str]) -> str:
    """Returns the labelling interface of the project, with the classes but the first in the colours of the report."""
    view = ElementTree.Element("View")
    ElementTree.SubElement(view, "Image", name=_IMAGE, value=f"${_IMAGE}", zoom="true")
    labels = ElementTree.SubElement(view, "BrushLabels", name=_TAG, toName=_IMAGE)
    for index, name in enumerate(classes):
        if index:
            ElementTree.SubElement(labels, "Label", value=name, background=hex_colour(index))
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding="unicode") + "\n"


def _regions(image: PreAnnotation, classes: Sequence[str]) -> list[dict[str, Any]]:
    height, width = image.mask_HW.shape
    return [
        {
            "id": f"class-{index}",
            "from_name": _TAG,
            "to_name": _IMAGE,
            "type": "brushlabels",
            "original_width": width,
            "original_height": height,
            "image_rotation": 0,
            "value": {"format": "rle", "rle": encode_brush(is_class_HW), "brushlabels": [classes[index]]},
        }
        for index, is_class_HW in image.classes()
    ]
