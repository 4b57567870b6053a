"""docs/data.md has a row for each annotation format: its configuration is read, and `check` prints what it says.

Each data set has two images that are used and one whose annotation is damaged.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.example_gen.annotations.class_tables import CITYSCAPES, VOC
from components.example_gen.causes import describe_causes, group_causes
from tests.support.annotated_set import HEIGHT, SQUARE, WIDTH, AnnotatedSet, filled, png_of, square
from tests.support.data_set import blocks, encode, photo

NAMES = ("a", "b", "c")
BROKEN = "c"


def coco(annotated: AnnotatedSet) -> None:
    images, annotations = [], []
    for key, name in enumerate(NAMES, 1):
        annotated.photo(f"images/{name}.png")
        images.append({"id": key, "file_name": f"{name}.png", "width": WIDTH, "height": HEIGHT})
        shape: Any = [] if name == BROKEN else [square()]
        annotations.append({"id": 10 * key, "image_id": key, "category_id": 1, "iscrowd": 0, "segmentation": shape})
    categories = [{"id": 1, "name": "cat"}]
    annotated.write("annotations/a.json", {"images": images, "annotations": annotations, "categories": categories})


def labelme(annotated: AnnotatedSet) -> None:
    for name in NAMES:
        annotated.photo(f"{name}.png")
        shape = {"label": "cat", "points": SQUARE, "shape_type": "line" if name == BROKEN else "polygon"}
        document = {"shapes": [shape], "imagePath": f"{name}.png", "imageWidth": WIDTH, "imageHeight": HEIGHT}
        annotated.write(f"{name}.json", document)


def cvat(annotated: AnnotatedSet) -> None:
    images = []
    for key, name in enumerate(NAMES):
        annotated.photo(f"images/{name}.png")
        points = "4,4;12,4" if name == BROKEN else ";".join(f"{x},{y}" for x, y in SQUARE)
        shape = f'<polygon label="cat" points="{points}" z_order="0"/>'
        images.append(f'<image id="{key}" name="{name}.png" width="{WIDTH}" height="{HEIGHT}">{shape}</image>')
    annotated.write("annotations.xml", f"<annotations>{''.join(images)}</annotations>")


def label_studio(annotated: AnnotatedSet) -> None:
    tasks = []
    for key, name in enumerate(NAMES, 1):
        annotated.photo(f"images/{name}.png")
        points = [[100 * x / WIDTH, 100 * y / HEIGHT] for x, y in SQUARE]
        value = {"points": points, "polygonlabels": ["cat"]}
        region = {"id": "r1", "type": "polygonlabels", "value": value}
        region |= {"original_width": WIDTH, "original_height": HEIGHT, "image_rotation": 90 * (name == BROKEN)}
        image = {"image": f"/data/upload/1/{key:08x}-{name}.png"}
        tasks.append({"id": key, "data": image, "annotations": [{"id": key, "result": [region]}]})
    annotated.write("export.json", tasks)


def yolo(annotated: AnnotatedSet) -> None:
    annotated.write("data.yaml", "train: images\nnames: [cat]\n")
    for name in NAMES:
        annotated.photo(f"images/{name}.png")
        polygon = " ".join(f"{x / WIDTH} {y / HEIGHT}" for x, y in SQUARE)
        annotated.write(f"labels/{name}.txt", "0 0.5 0.5 0.2 0.2" if name == BROKEN else f"0 {polygon}")


def voc(annotated: AnnotatedSet) -> None:
    for name in NAMES:
        if name != BROKEN:
            annotated.write(f"JPEGImages/{name}.jpg", encode(photo(seed=ord(name)), "JPEG"))
        annotated.write(f"SegmentationClass/{name}.png", png_of(blocks(values=(0, 8, 255))))
    for split, listed in (("train", "a\nc\n"), ("val", "b\n")):
        annotated.write(f"ImageSets/Segmentation/{split}.txt", listed)


def cityscapes(annotated: AnnotatedSet) -> None:
    for name, split in (("a", "train"), ("b", "val"), ("c", "train")):
        if name != BROKEN:
            annotated.photo(f"leftImg8bit/{split}/{name}/{name}_0_leftImg8bit.png")
        annotated.write(f"gtFine/{split}/{name}/{name}_0_gtFine_labelIds.png", png_of(blocks(values=(7, 26, 4))))


def instances(annotated: AnnotatedSet) -> None:
    for name in NAMES:
        annotated.photo(f"{name}/images/{name}.png")
        for number in range(2):
            small = name == BROKEN and number == 1
            mask = png_of(filled(4 + 8 * number, value=255)[: 8 if small else None])
            annotated.write(f"{name}/masks/{number}.png", mask)


MAKERS: dict[str, Callable[[AnnotatedSet], None]] = {
    "COCO": coco,
    "LabelMe": labelme,
    "CVAT": cvat,
    "Label Studio": label_studio,
    "YOLO": yolo,
    "Pascal VOC": voc,
    "Cityscapes": cityscapes,
    "a mask for each object": instances,
}
CLASSES = {"Pascal VOC": tuple(VOC.values()), "Cityscapes": tuple(CITYSCAPES.values())}


def rows() -> dict[str, tuple[str, str]]:
    """Format → its configuration, and what `check` prints."""
    section = Path("docs/data.md").read_text(encoding="utf-8").split("## Annotation files", 1)[1]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    cells = [[cell.strip().strip("`") for cell in line.strip("|").split(" | ")] for line in lines[2:]]
    return {row[0]: (row[1], row[2]) for row in cells if len(row) == 3 and row[1].startswith("source:")}


def test_every_format_has_a_row() -> None:
    assert rows().keys() == MAKERS.keys()


@pytest.mark.parametrize("format", MAKERS)
def test_a_row_of_the_table(annotated: AnnotatedSet, format: str) -> None:
    configured, printed = rows()[format]
    MAKERS[format](annotated)
    source = yaml.safe_load(configured)["source"] | {"root": str(annotated.root)}
    classes = CLASSES.get(format, ("background", "cat"))
    summary, quarantined = annotated.survey(source, classes=classes)
    assert sum(summary.used.values()) == 2
    assert describe_causes(group_causes(quarantined), 1) == [printed]
