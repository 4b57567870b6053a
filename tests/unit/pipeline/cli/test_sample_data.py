"""The sample data: the same each time, labelled as it is painted, and broken where it should be."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.cli.sample_data import CLASSES, SCENES, SIDE, write_sample_data


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("sample") / "data"
    assert write_sample_data(directory)
    return directory


def digest(directory: Path) -> str:
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def test_it_is_the_same_each_time(sample: Path, tmp_path: Path) -> None:
    write_sample_data(tmp_path)
    assert digest(tmp_path) == digest(sample)


def test_a_complete_set_is_left_alone(sample: Path) -> None:
    before = (sample / "index.csv").stat().st_mtime_ns
    assert not write_sample_data(sample)
    assert (sample / "index.csv").stat().st_mtime_ns == before


def test_an_interrupted_set_is_made_anew(sample: Path, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "leftover.jpg").touch()
    assert write_sample_data(tmp_path)
    assert digest(tmp_path) == digest(sample)


def test_scenes_are_real_pictures_with_their_classes(sample: Path) -> None:
    seen = set()
    for number in range(SCENES):
        image = Image.open(sample / f"images/scene-{number:03d}.jpg")
        mask_HW = np.asarray(Image.open(sample / f"masks/scene-{number:03d}.png"))
        assert image.size == (SIDE, SIDE)
        assert mask_HW.shape == (SIDE, SIDE)
        seen |= set(np.unique(mask_HW))
    assert seen == set(range(len(CLASSES)))


@pytest.mark.parametrize(("label", "channels"), [(1, (0, 1, 2)), (3, (2, 1, 0))])
def test_red_is_red_and_blue_is_blue(sample: Path, label: int, channels: tuple[int, int, int]) -> None:
    strongest, *others = channels
    for number in range(40):
        image_HWC = np.asarray(Image.open(sample / f"images/scene-{number:03d}.jpg")).astype(int)
        inside = np.asarray(Image.open(sample / f"masks/scene-{number:03d}.png")) == label
        if inside.sum() > 50:
            mean_C = image_HWC[inside].mean(axis=0)
            assert all(mean_C[strongest] > mean_C[other] + 40 for other in others)


def test_the_manifest_names_slices_and_four_broken_pairs(sample: Path) -> None:
    with (sample / "index.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == SCENES + 4
    assert {row["photograph"] for row in rows} == {"china", "flower"}
    assert {row["size"] for row in rows} == {"small", "medium", "large"}
    assert sum("broken" in row["image"] for row in rows) == 4
