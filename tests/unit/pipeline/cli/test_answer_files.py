"""What `segpipe predict --format` writes, read again by ingestion and by COCO's own tools."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO

from common.errors import UserError
from pipeline.cli.answer_files import COCO_FILE, FORMATS, Prediction, answer_files
from pipeline.cli.image_files import find_images
from tests.support.annotated_set import CLASSES, HEIGHT, WIDTH, AnnotatedSet


@pytest.fixture
def annotated(tmp_path: Path) -> AnnotatedSet:
    """An empty data set."""
    return AnnotatedSet(tmp_path / "data")


def random_mask(seed: int) -> np.ndarray:
    """Blobs with holes and corners that touch, of all classes."""
    generator = np.random.default_rng(seed)
    coarse_HW = generator.integers(0, 3, (HEIGHT // 3, WIDTH // 4), dtype=np.uint8)
    mask_HW = np.kron(coarse_HW, np.ones((3, 4), np.uint8))
    speckles = generator.random(mask_HW.shape) < 0.05
    return np.where(speckles, (mask_HW + 1) % 3, mask_HW).astype(np.uint8)


def write(annotated: AnnotatedSet, format: str, out: Path) -> dict[str, np.ndarray]:
    """Writes answers for three images in a format; returns their masks by name."""
    masks = {f"photos/{name}": random_mask(seed) for seed, name in enumerate(("a", "b", "sub/c"))}
    for name in masks:
        annotated.photo(f"{name}.png")
    found = find_images([annotated.root / "photos"], out)
    files = answer_files(format, out)
    for image in found.images:
        files.add(image, Prediction(masks[f"photos/{image.name}"], {}, 0.9, 1, CLASSES, image.path.read_bytes()))
    files.finish()
    return masks


def test_coco_gives_the_same_masks_when_it_is_read_again(annotated: AnnotatedSet) -> None:
    masks = write(annotated, "coco", annotated.root / "photos/predicted")
    source = {"type": "coco", "files": ["photos/predicted/*.json"], "images": ["photos"], "unannotated": "background"}
    again = annotated.masks(source)
    assert again.keys() == masks.keys()
    assert all(np.array_equal(again[name], mask_HW) for name, mask_HW in masks.items())


def test_cocos_own_tools_read_the_same_masks(annotated: AnnotatedSet, tmp_path: Path) -> None:
    masks = write(annotated, "coco", tmp_path / "out")
    tool = COCO(str(tmp_path / "out" / COCO_FILE))
    for image in tool.loadImgs(tool.getImgIds()):
        mask_HW = np.zeros((image["height"], image["width"]), np.uint8)
        for annotation in tool.loadAnns(tool.getAnnIds(imgIds=image["id"])):
            region_HW = tool.annToMask(annotation).astype(bool)
            assert annotation["area"] == region_HW.sum()
            mask_HW[region_HW] = annotation["category_id"]
        assert np.array_equal(mask_HW, masks[f"photos/{image['file_name']}".removesuffix(".png")])
    assert [category["name"] for category in tool.loadCats(tool.getCatIds())] == ["cat", "dog"]


def test_labelme_gives_the_same_masks_when_it_is_read_again(annotated: AnnotatedSet) -> None:
    masks = write(annotated, "labelme", annotated.root / "photos")
    document = json.loads((annotated.root / "photos/sub/c.json").read_text())
    assert document["imagePath"] == "c.png"
    assert {shape["shape_type"] for shape in document["shapes"]} == {"polygon", "mask"}
    again = annotated.masks({"type": "labelme"})
    assert all(np.array_equal(again[name], mask_HW) for name, mask_HW in masks.items())


def test_geojson_has_a_feature_for_each_region_that_is_not_background(annotated: AnnotatedSet, tmp_path: Path) -> None:
    masks = write(annotated, "geojson", tmp_path / "out")
    features = json.loads((tmp_path / "out/a.geojson").read_text())["features"]
    pixels = {
        name: sum(f["properties"]["pixels"] for f in features if f["properties"]["class"] == name) for name in CLASSES
    }
    assert pixels == {"background": 0} | {
        name: int((masks["photos/a"] == index).sum()) for index, name in enumerate(CLASSES) if index
    }


def test_png_is_the_mask_and_an_overlay(annotated: AnnotatedSet, tmp_path: Path) -> None:
    write(annotated, "png", tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "a.mask.png",
        "a.overlay.png",
        "b.mask.png",
        "b.overlay.png",
        "sub",
    ]


@pytest.mark.parametrize("format", FORMATS)
def test_a_folder_that_cannot_be_written_is_named(annotated: AnnotatedSet, tmp_path: Path, format: str) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(UserError, match=r"cannot write .*; name another folder with --out"):
        write(annotated, format, tmp_path / "out")
