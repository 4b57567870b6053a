"""Masks compared, pixel for pixel, with those of the tools that other people use, in an environment of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from tests.support.annotated_set import HEIGHT, WIDTH, AnnotatedSet

pytestmark = pytest.mark.slow

PACKAGES = ("datumaro==1.13.12", "numpy<2.3", "pillow")
BRUSH = "label-studio-sdk==2.1.2"
"""Only its module for the brush is called, so it is installed without what it needs."""
INSTALL_SECONDS = 900

BY_DATUMARO = """
import sys
import numpy as np
from datumaro import Dataset
from datumaro.components.annotation import AnnotationType
from pycocotools import mask as coco_mask

path, format, width, height, out = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
dataset = Dataset.import_from(path, format)
# COCO's annotations come in the reverse order of the file.
names = [label.name for label in dataset.categories()[AnnotationType.label]]
masks = {}
for item in dataset:
    mask = np.zeros((height, width), np.uint8)
    for annotation in sorted(item.annotations, key=lambda one: (getattr(one, "z_order", 0), one.id)):
        if annotation.type == AnnotationType.polygon:
            covered = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects([annotation.points], height, width)))
        elif annotation.type == AnnotationType.mask:
            covered = annotation.image
        else:
            continue
        mask[np.asarray(covered).astype(bool)] = {"cat": 1, "dog": 2}[names[annotation.label]]
    masks[item.id.split("/")[-1]] = mask
np.savez(out, **masks)
"""

BY_LABEL_STUDIO = """
import importlib.util, json, sys
import numpy as np

spec = importlib.util.find_spec("label_studio_sdk")
file = spec.submodule_search_locations[0] + "/converter/brush.py"
loaded = importlib.util.spec_from_file_location("brush", file)
brush = importlib.util.module_from_spec(loaded)
loaded.loader.exec_module(brush)
mask = np.load(sys.argv[1])
rgba = np.repeat((mask > 0).astype(np.uint8)[..., None] * 255, 4, axis=-1)
json.dump(brush.encode_rle(rgba.ravel()), open(sys.argv[2], "w"))
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the other tools."""
    folder = tmp_path_factory.mktemp("reference") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    found = folder / "bin/python"
    for arguments in (PACKAGES, ("--no-deps", BRUSH)):
        command = [str(found), "-m", "pip", "install", "-q", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
        if done.returncode:
            pytest.skip(f"the reference tools cannot be installed: {done.stderr.strip().splitlines()[-1:]}")
    return found


def run(python: Path, script: str, *arguments: Any) -> None:
    done = subprocess.run(
        [str(python), "-c", script, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def by_datumaro(python: Path, path: Path, format: str, out: Path) -> dict[str, np.ndarray]:
    run(python, BY_DATUMARO, path, format, WIDTH, HEIGHT, out)
    return dict(np.load(out))


def outline(seed: int) -> list[float]:
    """A polygon that mostly crosses itself and leaves the image.

    Its coordinates are quarters, which survive datumaro's floats of 32 bits.
    """
    points_N2 = np.random.default_rng(seed).uniform((-4, -4), (WIDTH + 4, HEIGHT + 4), (3 + seed % 9, 2))
    return [float(number) for number in (points_N2 * 4).round().ravel() / 4]


def blob(seed: int) -> np.ndarray:
    return (np.random.default_rng(seed).random((HEIGHT, WIDTH)) < 0.3).astype(np.uint8)


def segmentation(seed: int) -> Any:
    if seed % 3:
        return [outline(seed), outline(seed + 1000)]
    encoded = coco_mask.encode(np.asfortranarray(blob(seed)))
    return {"size": [HEIGHT, WIDTH], "counts": encoded["counts"].decode()}


def same(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> bool:
    named = {name.split("/")[-1]: mask_HW for name, mask_HW in found.items()}
    return named.keys() == expected.keys() and all(np.array_equal(named[name], expected[name]) for name in named)


def test_coco_as_datumaro_reads_it(python: Path, annotated: AnnotatedSet, tmp_path: Path) -> None:
    images, annotations = [], []
    for key in range(1, 9):
        annotated.photo(f"images/train/{key}.png")
        images.append({"id": key, "file_name": f"{key}.png", "width": WIDTH, "height": HEIGHT})
        for number in range(3):
            seed = 10 * key + number
            record = {"id": seed, "image_id": key, "category_id": 1 + seed % 2, "segmentation": segmentation(seed)}
            annotations.append(record | {"iscrowd": 0, "area": 1.0, "bbox": [0, 0, 1, 1]})
    categories = [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
    document = {"images": images, "annotations": annotations, "categories": categories}
    annotated.write("annotations/instances_train.json", document)
    expected = by_datumaro(python, annotated.root, "coco_instances", tmp_path / "masks.npz")
    assert same(annotated.masks({"type": "coco", "images": ["images/train"]}), expected)


def runs_of(mask_HW: np.ndarray) -> str:
    flat_N = mask_HW.ravel()
    edges = np.flatnonzero(np.diff(flat_N)) + 1
    counts = np.diff([0, *edges.tolist(), flat_N.size]).tolist()
    return ", ".join(map(str, [0, *counts] if flat_N[0] else counts))


def cvat_shape(seed: int) -> str:
    label, order = ("cat", "dog")[seed % 2], seed % 3
    if seed % 3:
        pairs = np.array(outline(seed)).reshape(-1, 2).tolist()
        points = ";".join(f"{x},{y}" for x, y in pairs)
        return f'<polygon label="{label}" occluded="0" source="manual" points="{points}" z_order="{order}"></polygon>'
    window_HW = blob(seed)[2:12, 3:20]
    size = 'left="3" top="2" width="17" height="10"'
    runs = runs_of(window_HW)
    return f'<mask label="{label}" occluded="0" source="manual" rle="{runs}" {size} z_order="{order}"></mask>'


def test_cvat_as_datumaro_reads_it(python: Path, annotated: AnnotatedSet, tmp_path: Path) -> None:
    images = []
    for key in range(8):
        annotated.photo(f"images/{key}.png")
        shapes = "".join(cvat_shape(10 * key + number) for number in range(3))
        images.append(f'<image id="{key}" name="{key}.png" width="{WIDTH}" height="{HEIGHT}">{shapes}</image>')
    labels = "".join(f"<label><name>{name}</name><attributes></attributes></label>" for name in ("cat", "dog"))
    meta = f"<meta><task><labels>{labels}</labels></task></meta>"
    annotated.write("annotations.xml", f"<annotations><version>1.1</version>{meta}{''.join(images)}</annotations>")
    expected = by_datumaro(python, annotated.root, "cvat", tmp_path / "masks.npz")
    assert same(annotated.masks({"type": "cvat"}), expected)


def test_the_brush_that_label_studios_converter_writes(python: Path, annotated: AnnotatedSet, tmp_path: Path) -> None:
    tasks, expected = [], {}
    for key in range(4):
        annotated.photo(f"images/{key}.png")
        expected[str(key)] = blob(key)
        np.save(tmp_path / "mask.npy", expected[str(key)])
        run(python, BY_LABEL_STUDIO, tmp_path / "mask.npy", tmp_path / "runs.json")
        value = {"format": "rle", "rle": json.loads((tmp_path / "runs.json").read_text()), "brushlabels": ["cat"]}
        region = {"id": "r", "type": "brushlabels", "value": value, "original_width": WIDTH, "original_height": HEIGHT}
        tasks.append({"id": key, "data": {"image": f"{key}.png"}, "annotations": [{"id": key, "result": [region]}]})
    annotated.write("export.json", tasks)
    assert same(annotated.masks({"type": "label_studio"}), expected)
