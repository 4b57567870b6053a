"""Tasks of labelling tools, read back by the readers of ingestion, which are compared with the tools themselves."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from components.example_gen.annotations.brush_runs import decode_brush
from pipeline.labelling.brush_encoding import encode_brush
from pipeline.labelling.cvat_tasks import ANNOTATIONS, CvatTasks, row_runs
from pipeline.labelling.label_studio_tasks import INTERFACE, TASKS, LabelStudioTasks
from pipeline.labelling.pre_annotation import PreAnnotation
from tests.support.annotated_set import CLASSES, HEIGHT, WIDTH, AnnotatedSet

masks = arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12)))
NAMES = {1: "a b.png", 2: "deep/ä.png"}


@pytest.fixture
def images() -> dict[int, PreAnnotation]:
    """Rank → image; the second has no pixel of the first class, which counts as background."""
    random = np.random.default_rng(0)
    first_HW = random.integers(0, 3, (HEIGHT, WIDTH)).astype(np.uint8)
    second_HW = random.integers(1, 3, (HEIGHT, WIDTH)).astype(np.uint8)
    return {1: PreAnnotation(NAMES[1], first_HW, 0.9), 2: PreAnnotation(NAMES[2], second_HW, 0.5)}


@settings(max_examples=100)
@given(masks)
def test_a_brush_is_decoded_to_its_pixels(mask_HW: np.ndarray) -> None:
    height, width = mask_HW.shape
    np.testing.assert_array_equal(decode_brush(bytes(encode_brush(mask_HW)), width, height), mask_HW)


def test_a_brush_with_runs_longer_than_a_block() -> None:
    mask_HW = np.zeros([300, 301], bool)
    mask_HW[100:] = True
    np.testing.assert_array_equal(decode_brush(bytes(encode_brush(mask_HW)), 301, 300), mask_HW)


def test_a_brush_begins_as_label_studios_own() -> None:
    """The number of values, then 8 bits a value, and lengths of 3, 4, 8 and 16 bits."""
    assert encode_brush(np.ones([300, 400], bool))[:7] == [0, 7, 83, 0, 57, 27, 255]


@settings(max_examples=50)
@given(masks)
def test_runs_begin_with_zeros(mask_HW: np.ndarray) -> None:
    runs = row_runs(mask_HW)
    assert sum(runs) == mask_HW.size and all(runs[1:])
    np.testing.assert_array_equal(np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(mask_HW.shape), mask_HW)


def test_label_studio_gets_the_models_masks(images: dict[int, PreAnnotation], tmp_path: Path) -> None:
    writer = LabelStudioTasks(CLASSES, "version 3 of pets")
    for rank in (2, 1):
        writer.add(rank, images[rank])
    tasks = json.loads(writer.files()[TASKS])
    assert [task["data"]["image"] for task in tasks] == [
        "/data/local-files/?d=a%20b.png",
        "/data/local-files/?d=deep/%C3%A4.png",
    ]
    assert [prediction["model_version"] for task in tasks for prediction in task["predictions"]] == [
        "version 3 of pets",
        "version 3 of pets",
    ]
    annotated = AnnotatedSet(tmp_path)
    exported = []
    for number, task in enumerate(tasks):
        annotated.photo(NAMES[number + 1])
        annotations = [{"id": number, "result": task["predictions"][0]["result"]}]
        exported.append({"id": number, "data": task["data"], "annotations": annotations})
    annotated.write("export.json", exported)
    assert_same(annotated.masks({"type": "label_studio"}), images)


def test_the_interface_of_label_studio_names_what_the_tasks_name(images: dict[int, PreAnnotation]) -> None:
    writer = LabelStudioTasks(CLASSES, "m", address="https://images.example.org/")
    writer.add(1, images[1])
    [task] = json.loads(writer.files()[TASKS])
    view = ElementTree.fromstring(writer.files()[INTERFACE])
    brush, shown = view.find("BrushLabels"), view.find("Image")
    assert brush is not None and shown is not None
    for region in task["predictions"][0]["result"]:
        assert (region["from_name"], region["to_name"]) == (brush.get("name"), brush.get("toName"))
        assert region["value"]["brushlabels"][0] in [label.get("value") for label in brush]
    assert shown.get("name") == brush.get("toName")
    assert task["data"][str(shown.get("value")).removeprefix("$")] == "https://images.example.org/a%20b.png"
    assert [label.get("value") for label in brush] == ["cat", "dog"]


def test_cvat_gets_the_models_masks(images: dict[int, PreAnnotation], tmp_path: Path) -> None:
    writer = CvatTasks(CLASSES)
    for rank in (2, 1):
        writer.add(rank, images[rank])
    text = writer.files()[ANNOTATIONS]
    root = ElementTree.fromstring(text)
    assert [(image.get("id"), image.get("name")) for image in root.findall("image")] == [
        ("0", NAMES[1]),
        ("1", NAMES[2]),
    ]
    assert [name.text for name in root.findall("meta/task/labels/label/name")] == ["cat", "dog"]
    annotated = AnnotatedSet(tmp_path)
    for name in NAMES.values():
        annotated.photo(name)
    annotated.write("annotations.xml", text)
    assert_same(annotated.masks({"type": "cvat"}), images)


def assert_same(found: dict[str, np.ndarray], images: dict[int, PreAnnotation]) -> None:
    by_name = {name.rpartition("/")[2].removesuffix(".png"): mask_HW for name, mask_HW in found.items()}
    assert len(by_name) == len(images)
    for image in images.values():
        np.testing.assert_array_equal(by_name[Path(image.path).stem], image.mask_HW)
