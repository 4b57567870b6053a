"""Sample data with real pixels and no download: handwritten digits on photographs, both from scikit-learn.

A scene is a crop of one of the two photographs with one to four digits in red, yellow or blue ink; the ink's colour is
the class, and grey digits are background.  A few pairs are broken on purpose, so that a first run shows what the
quarantine does.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from common.decompression_bomb import forged_size_png

CLASSES = ("background", "red", "yellow", "blue")
SCENES = 300
SIDE = 96
SEED = 7
_INKS = {"red": (205, 45, 40), "yellow": (240, 205, 45), "blue": (45, 85, 205), "grey": (128, 128, 128)}
_DIGIT_SIDES = {"small": (22, 30), "medium": (32, 42), "large": (44, 60)}
_MASK_PALETTE = [0, 0, 0, 205, 45, 40, 240, 205, 45, 45, 85, 205]


class Scene(NamedTuple):
    """An image, its mask, and its metadata."""

    image_HWC: np.ndarray
    mask_HW: np.ndarray
    photograph: str
    size: str


def write_sample_data(directory: Path, report: Callable[[str], None] = lambda _: None) -> bool:
    """Writes `images/`, `masks/` and `index.csv`; the same bytes each time.

    Returns:
        False if the folder already holds a complete set and nothing was done.
    """
    index = directory / "index.csv"
    if index.exists():
        return False
    for name in ("images", "masks"):
        shutil.rmtree(directory / name, ignore_errors=True)  # Left by an interrupted attempt.
        (directory / name).mkdir(parents=True)
    rows = [_write_scene(directory, number, scene) for number, scene in enumerate(_scenes())]
    rows += _write_broken_pairs(directory)
    # The manifest is written last: it marks the set as complete.
    unfinished = index.with_suffix(".csv.new")
    with unfinished.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["image", "mask", "photograph", "size"])
        writer.writeheader()
        writer.writerows(rows)
    unfinished.replace(index)
    report(f"{len(rows)} pairs of {SIDE}×{SIDE} in {directory}, 4 of them broken on purpose")
    return True


def _scenes() -> list[Scene]:
    from sklearn.datasets import load_digits, load_sample_images

    digits = load_digits().images / 16.0
    samples = load_sample_images()
    photographs = {Path(name).stem: image for name, image in zip(samples.filenames, samples.images, strict=True)}
    random = np.random.Generator(np.random.PCG64(SEED))
    return [_scene(random, digits, photographs) for _ in range(SCENES)]


def _scene(random: np.random.Generator, digits_NHW: np.ndarray, photographs: dict[str, np.ndarray]) -> Scene:
    photograph = str(random.choice(sorted(photographs)))
    size = str(random.choice(list(_DIGIT_SIDES)))
    image_HWC = _crop(random, photographs[photograph]).astype(np.float64)
    mask_HW = np.zeros([SIDE, SIDE], np.uint8)
    for _ in range(random.integers(1, 5)):
        digit_HW = digits_NHW[random.integers(len(digits_NHW))]
        ink = str(random.choice(list(_INKS), p=[0.29, 0.29, 0.29, 0.13]))
        _paint(random, image_HWC, mask_HW, digit_HW, int(random.integers(*_DIGIT_SIDES[size])), ink)
    return Scene(image_HWC.round().clip(0, 255).astype(np.uint8), mask_HW, photograph, size)


def _crop(random: np.random.Generator, photograph_HWC: np.ndarray) -> np.ndarray:
    """Returns a square of the photograph, one to three times the scene's side, resized to the scene."""
    side = int(random.integers(SIDE, 3 * SIDE))
    top = int(random.integers(photograph_HWC.shape[0] - side + 1))
    left = int(random.integers(photograph_HWC.shape[1] - side + 1))
    square = Image.fromarray(photograph_HWC[top : top + side, left : left + side])
    return np.asarray(square.resize((SIDE, SIDE), Image.Resampling.BOX))


def _paint(
    random: np.random.Generator,
    image_HWC: np.ndarray,
    mask_HW: np.ndarray,
    digit_HW: np.ndarray,
    side: int,
    ink: str,
) -> None:
    """Paints one digit, `side` pixels high, onto image and mask in place."""
    coverage = Image.fromarray((digit_HW * 255).astype(np.uint8)).resize((side, side), Image.Resampling.BICUBIC)
    coverage_HW = np.clip((np.asarray(coverage) / 255.0 - 0.35) / 0.2, 0, 1)
    top, left = (int(random.integers(SIDE - side + 1)) for _ in range(2))
    window = slice(top, top + side), slice(left, left + side)
    colour_C = np.asarray(_INKS[ink]) + random.normal(0, 14, 3)
    alpha_HW1 = 0.92 * coverage_HW[..., np.newaxis]
    image_HWC[window] = (1 - alpha_HW1) * image_HWC[window] + alpha_HW1 * colour_C
    mask_HW[window][coverage_HW >= 0.5] = CLASSES.index(ink) if ink in CLASSES else 0


def _write_scene(directory: Path, number: int, scene: Scene) -> dict[str, str]:
    image, mask = f"images/scene-{number:03d}.jpg", f"masks/scene-{number:03d}.png"
    Image.fromarray(scene.image_HWC).save(directory / image, quality=92, subsampling=0)
    _save_mask(scene.mask_HW, directory / mask)
    return {"image": image, "mask": mask, "photograph": scene.photograph, "size": scene.size}


def _save_mask(mask_HW: np.ndarray, path: Path) -> None:
    mask = Image.fromarray(mask_HW)
    # Turns grey values into indices; a full palette, as Pillow stores indices in as few bits as the palette needs.
    mask.putpalette(_MASK_PALETTE + [0] * (768 - len(_MASK_PALETTE)))
    mask.save(path)


def _write_broken_pairs(directory: Path) -> list[dict[str, str]]:
    """Writes four pairs, each broken in a different way; only the manifest's rows are valid."""
    whole_image = (directory / "images/scene-000.jpg").read_bytes()
    mask_HW = np.asarray(Image.open(directory / "masks/scene-000.png")).copy()

    def write(name: str, image: bytes, mask_HW: np.ndarray | None) -> dict[str, str]:
        suffix = "png" if image.startswith(b"\x89PNG") else "jpg"
        (directory / f"images/{name}.{suffix}").write_bytes(image)
        if mask_HW is not None:
            _save_mask(mask_HW, directory / f"masks/{name}.png")
        row = {"image": f"images/{name}.{suffix}", "mask": f"masks/{name}.png"}
        return {**row, "photograph": "china", "size": "small"}

    unknown_HW = mask_HW.copy()
    unknown_HW[:8, :8] = 9
    return [
        write("broken-missing-mask", whole_image, None),
        write("broken-truncated", whole_image[: len(whole_image) // 2], mask_HW),
        write("broken-unknown-label", whole_image, unknown_HW),
        write("broken-bomb", forged_size_png(20_000), mask_HW),
    ]
