"""Which files of a folder are images, and what their outputs are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import UserError
from pipeline.cli.image_files import find_images


def make(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    return root


def names(paths: list[Path], out: Path) -> list[str]:
    return [image.name for image in find_images(paths, out).images]


def test_a_folder_is_searched_with_those_below_it(tmp_path: Path) -> None:
    folder = make(
        tmp_path / "in", "b.PNG", "a.jpg", "deep/er/c.jpeg", "notes.txt", "data.csv", "more.csv", ".hidden.jpg"
    )
    found = find_images([folder], tmp_path / "out")
    assert [image.name for image in found.images] == ["a", "b", "deep/er/c"]
    assert found.skipped_text == "2 .csv, 1 .txt, 1 hidden"


def test_outputs_are_not_inputs_of_the_next_run(tmp_path: Path) -> None:
    folder = make(tmp_path / "in", "a.jpg", "out/a.mask.png", "out/other.png", "old/a.mask.png", "old/a.overlay.png")
    assert names([folder], folder / "out") == ["a"]
    assert names([make(tmp_path / "flat", "a.jpg", "a.mask.png", "a.overlay.png")], tmp_path / "flat") == ["a"]


def test_outputs_do_not_overwrite_each_other(tmp_path: Path) -> None:
    make(tmp_path, "x/a.jpg", "x/a.png", "x/b.png", "y/a.jpg", "y/B.png")
    assert names([tmp_path / "x"], tmp_path / "out") == ["a.jpg", "a.png", "b"]
    assert names([tmp_path / "x", tmp_path / "y"], tmp_path / "out") == [
        "x/a.jpg",
        "a.png",
        "x/b.png",
        "y/B.png",
        "y/a.jpg",
    ]
    assert names([tmp_path / "x/b.png", tmp_path / "y/B.png"], tmp_path / "out") == ["x/b.png", "y/B.png"]


def test_a_file_that_is_named_twice_is_one_image(tmp_path: Path) -> None:
    make(tmp_path, "x/a.jpg")
    assert names([tmp_path / "x", tmp_path / "x/a.jpg"], tmp_path / "out") == ["a"]


def test_names_that_cannot_be_told_apart_are_refused(tmp_path: Path) -> None:
    make(tmp_path, "1/x/a.jpg", "2/x/a.jpg")
    with pytest.raises(UserError, match="would overwrite each other's outputs"):
        find_images([tmp_path / "1/x/a.jpg", tmp_path / "2/x/a.jpg"], tmp_path / "out")


def test_a_folder_without_an_image_is_named(tmp_path: Path) -> None:
    folder = make(tmp_path / "in", "notes.txt")
    with pytest.raises(UserError, match=r"no image in the folder .*/in: .*; it holds 1 other file$"):
        find_images([folder], tmp_path / "out")
    with pytest.raises(UserError, match=r"image not found: .*nowhere"):
        find_images([tmp_path / "nowhere"], tmp_path / "out")
