"""The images of a source, without one being read."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import UserError
from components.batch_predictor.config import ImagesSource, ManifestSource, RecordsSource
from components.batch_predictor.listing import count_items, list_items


def touch(folder: Path, *paths: str) -> None:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(b"x")


def paths(source: ImagesSource | ManifestSource | RecordsSource, out: str = "/elsewhere") -> list[str]:
    return [item.path for item in list_items(source, out)]


def test_images_are_listed_with_their_folders_and_nothing_else_is(tmp_path: Path) -> None:
    touch(tmp_path, "b.JPG", "a.png", "deep/c.tif", "notes.txt", ".hidden.png", ".cache/d.png", "a.png.mask.png")
    touch(tmp_path, "out/masks/e.png")
    assert paths(ImagesSource(root=str(tmp_path)), f"{tmp_path}/out") == ["a.png", "b.JPG", "deep/c.tif"]


def test_globs_choose_among_them_and_each_is_listed_once(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "deep/b.png", "deep/c.jpg", "deep/deeper/d.jpg")
    assert paths(ImagesSource(root=str(tmp_path), images=("deep/*.jpg", "**/*.jpg"))) == [
        "deep/c.jpg",
        "deep/deeper/d.jpg",
    ]


def test_the_state_changes_with_the_file(tmp_path: Path) -> None:
    touch(tmp_path, "a.png")
    source = ImagesSource(root=str(tmp_path))
    [before] = list_items(source, "")
    (tmp_path / "a.png").write_bytes(b"longer")
    [after] = list_items(source, "")
    assert before.state != after.state


def test_a_link_out_of_the_root_is_listed_with_the_reason_unless_links_are_followed(tmp_path: Path) -> None:
    touch(tmp_path, "other/a.png")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "linked").symlink_to(tmp_path / "other")
    [item] = list_items(ImagesSource(root=str(tmp_path / "root")), "")
    assert "is a link that leaves the root" in item.problem
    (tmp_path / "root" / ".venv").symlink_to(tmp_path / "other")
    assert paths(ImagesSource(root=str(tmp_path / "root"))) == ["linked"], "hidden ones are no images"
    assert paths(ImagesSource(root=str(tmp_path / "root"), follow_links=True)) == ["linked/a.png"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("index.csv", "image,place\na.png,x\n\ndeep/b.png,y\n"),
        ("index.csv", "place;image\nx;a.png\ny;deep/b.png\n"),
        ("index.tsv", "image\tplace\na.png\tx\ndeep/b.png\ty\n"),
        ("index.jsonl", '{"image": "a.png"}\n\n{"image": "deep/b.png"}\n'),
    ],
)
def test_a_manifest_names_images_in_its_order(tmp_path: Path, name: str, text: str) -> None:
    touch(tmp_path, "a.png", "deep/b.png")
    (tmp_path / name).write_text(text)
    assert paths(ManifestSource(root=str(tmp_path), file=name)) == ["a.png", "deep/b.png"]


def test_paths_of_a_manifest_stay_below_its_root(tmp_path: Path) -> None:
    touch(tmp_path, "a.png")
    rows = ["image", str(tmp_path / "a.png"), "../x.png", "/etc/x.png", "gs://bucket/x.png", "./a.png", "gone.png"]
    (tmp_path / "index.csv").write_text("\n".join(rows))
    items = list(list_items(ManifestSource(root=str(tmp_path)), ""))
    assert [item.path for item in items if not item.problem] == ["a.png", "a.png", "gone.png"]
    refused = [item.problem for item in items if item.problem]
    assert ["contains '..'" in refused[0], "absolute path" in refused[1], "is a URL" in refused[2]] == [True] * 3
    assert all("name a root that holds all images" in problem for problem in refused)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("picture,mask\n1,2\n", "has no column 'image'; it has picture, mask"),
        ("", "has no column 'image'; it has nothing"),
        ("image\n", "has no row"),
    ],
)
def test_a_manifest_without_images_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "index.csv").write_text(text)
    with pytest.raises(UserError, match=words):
        count_items(ManifestSource(root=str(tmp_path)), "")


def test_record_files_are_listed_by_their_names(tmp_path: Path) -> None:
    touch(tmp_path, "Split-test/data_tfrecord-00000-of-00001", "Split-test/other")
    assert paths(RecordsSource(root=str(tmp_path))) == ["Split-test/data_tfrecord-00000-of-00001"]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({"root": "{here}"}, "no image in the folder"),
        ({"root": "{here}", "images": ("*.bmp",)}, r"that matches \*\.bmp"),
        ({"root": "{here}/none"}, "is not a folder"),
    ],
)
def test_a_folder_without_images_is_refused(tmp_path: Path, source: dict, words: str) -> None:
    touch(tmp_path, "notes.txt")
    settings = {**source, "root": source["root"].format(here=tmp_path)}
    with pytest.raises(UserError, match=words):
        count_items(ImagesSource(**settings), "")
