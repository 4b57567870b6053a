"""Small made-up folders in the shape of the data sets that the shipped configurations are for.

Layout, file formats, sizes that differ, label values and strays are those of the real sets; what is seen in the
pictures is a coloured disc or two on noise.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from common.records import VOID

PAIRS = 40
CLOTHES = 59


def write_buildings(root: Path) -> None:
    """Square tiles, JPEG or PNG; masks are 0/255, some 0/1, and some tiles show no building."""
    for index in range(PAIRS):
        image_HWC, disc_HW = _scene(index, 64, 64)
        if index % 8 == 5:
            image_HWC, disc_HW = _noise(index, 64, 64), np.zeros([64, 64], bool)
        _save(image_HWC, root / f"images/tile_{index:03d}.{('jpg', 'png')[index % 2]}")
        _save(disc_HW * np.uint8(1 if index % 5 == 0 else 255), root / f"masks/tile_{index:03d}.png")


def write_pets(root: Path) -> None:
    """JPEG photographs of many sizes with trimaps 1…3, among what else lies in the archive."""
    for index in range(PAIRS):
        name = f"{('Abyssinian', 'beagle')[index % 2]}_{index}"
        height, width = 50 + index % 7, 70 - index % 5
        image_HWC, pet_HW = _scene(index, height, width)
        _, larger_HW = _scene(index, height, width, border=3)
        trimap_HW = np.where(pet_HW, 1, np.where(larger_HW, 3, 2)).astype(np.uint8)
        _save(image_HWC, root / f"images/{name}.jpg", kind="PNG" if index == 7 else "JPEG")
        _save(trimap_HW, root / f"annotations/trimaps/{name}.png")
        (root / f"annotations/trimaps/._{name}.png").write_bytes(b"\0\5\26\7Mac OS X")
    (root / "images/Abyssinian_100.mat").write_bytes(b"MATLAB 5.0 MAT-file")
    (root / "annotations/list.txt").write_text("#Image CLASS-ID SPECIES BREED ID\n")


def write_clothing(root: Path) -> None:
    """Upright JPEG photographs, index masks of 59 classes of which a picture has a few, and a manifest."""
    rows = ["id,image,mask"]
    for index in range(PAIRS):
        image_HWC, person_HW = _scene(index, 84, 55)
        mask_HW = np.where(person_HW, 41, 0).astype(np.uint8)
        mask_HW[person_HW & (np.arange(84)[:, None] < 36)] = 19
        mask_HW[person_HW & (np.arange(84)[:, None] > 48)] = 1 + index % (CLOTHES - 1)
        name = f"{index:04d}"
        _save(image_HWC, root / f"images/{name}.jpg")
        _save(mask_HW, root / f"masks/{name}.png")
        rows.append(f"{name},images/{name}.jpg,masks/{name}.png")
    (root / "index.csv").write_text("\n".join(rows) + "\n")


def write_nuclei(root: Path) -> None:
    """RGBA microscope pictures of three kinds and several sizes, and a manifest with more columns than are used."""
    rows = ["id,image,mask,image_type,width,height,n_instances"]
    for index in range(PAIRS):
        kind = ("gray-dark", "gray-light", "colour")[index % 3]
        height, width = 128 + 16 * (index % 2), 160 - 8 * (index % 4)
        image_HWC, nuclei_HW = _scene(index, height, width)
        if kind != "colour":
            image_HWC[:] = image_HWC.mean(-1, keepdims=True)
        if kind == "gray-light":
            image_HWC = 255 - image_HWC
        alpha_HWC = np.full([height, width, 1], 255, np.uint8)
        name = f"{index:064x}"
        _save(np.concatenate([image_HWC, alpha_HWC], -1), root / f"images/{name}.png")
        _save(nuclei_HW.astype(np.uint8), root / f"masks/{name}.png")
        rows.append(f"{name},images/{name}.png,masks/{name}.png,{kind},{width},{height},1")
    (root / "index.csv").write_text("\n".join(rows) + "\n")


def _scene(seed: int, height: int, width: int, border: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A bright orange disc on noise, and where it is; `border` makes the disc wider than it is drawn."""
    random = np.random.default_rng(seed)
    side = min(height, width)
    y, x = np.mgrid[:height, :width] - np.array([height, width])[:, None, None] * random.uniform(0.4, 0.6, [2, 1, 1])
    distance_HW = np.hypot(y, x)
    radius = random.uniform(0.2, 0.35) * side
    image_HWC = _noise(seed, height, width)
    image_HWC[distance_HW < radius] += np.array([170, 110, 20], np.uint8)
    return image_HWC, distance_HW < radius + border


def _noise(seed: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(seed + VOID).integers(0, 70, [height, width, 3]).astype(np.uint8)


def _save(pixels: np.ndarray, path: Path, kind: str | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, kind)
