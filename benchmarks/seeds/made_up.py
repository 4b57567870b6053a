"""A folder of Oxford-IIIT Pet's shape, for the time that its pictures take: what is learnt from it means nothing.

python -m benchmarks.seeds.made_up FOLDER COUNT
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 375, 500  # The commonest size there.
PET, BACKGROUND, BORDER = 1, 2, 3


def make_pets(root: Path, count: int) -> None:
    """Writes `count` JPEGs with an oval each, and trimaps of it."""
    for folder in ("images", "annotations/trimaps"):
        (root / folder).mkdir(parents=True)
    random = np.random.default_rng(0)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    for index in range(count):
        middle, radii = random.uniform(0.3, 0.7, 2) * (HEIGHT, WIDTH), random.uniform(60, 150, 2)
        distance = np.hypot((y - middle[0]) / radii[0], (x - middle[1]) / radii[1])
        trimap = np.where(distance < 0.95, PET, np.where(distance < 1.05, BORDER, BACKGROUND)).astype(np.uint8)
        coarse = random.integers(0, 256, [HEIGHT // 25, WIDTH // 25, 3]).astype(np.uint8)
        image = np.asarray(Image.fromarray(coarse).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)) // 2
        image = image + (distance < 1)[..., np.newaxis] * random.integers(30, 120, 3).astype(np.uint8)
        Image.fromarray(image.astype(np.uint8)).save(root / "images" / f"pet_{index:04}.jpg", quality=90)
        Image.fromarray(trimap).save(root / "annotations/trimaps" / f"pet_{index:04}.png")


if __name__ == "__main__":
    make_pets(Path(sys.argv[1]), int(sys.argv[2]))
