from __future__ import annotations

import pytest

from components.example_gen.globs import Glob


@pytest.mark.parametrize(
    ("pattern", "path", "name"),
    [
        ("images/**", "images/1.jpg", "1"),
        ("images/**", "images/a/b/1.jpg", "a/b/1"),
        ("images/**", "images/a.b.jpg", "a.b"),
        ("images/*.jpg", "images/1.jpg", "1"),
        ("images/**/*.jpg", "images/1.jpg", "1"),
        ("images/**/*.jpg", "images/a/b/1.jpg", "a/b/1"),
        ("**/*.png", "1.png", "1"),
        ("*/images/*.png", "bonn/images/1.png", "bonn/1"),
        ("leftImg8bit/*/*_leftImg8bit.png", "leftImg8bit/bonn/bonn_01_leftImg8bit.png", "bonn/bonn_01"),
        ("img_?.png", "img_7.png", "7"),
        ("img_[0-9].png", "img_7.png", "7"),
        ("a.b+(c)/*.png", "a.b+(c)/1.png", "1"),
        ("one.png", "one.png", "one"),
    ],
)
def test_a_file_is_named_by_what_the_wildcards_match(pattern: str, path: str, name: str) -> None:
    assert Glob(pattern).name(path) == name


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("images/**", "masks/1.png"),
        ("images/*.jpg", "images/a/1.jpg"),
        ("images/*.jpg", "images/1.png"),
        ("images/*.jpg", "more/images/1.jpg"),
        ("img_[!0-9].png", "img_7.png"),
        ("img_?.png", "img_/.png"),
        ("img_[!0-9].png", "img_/.png"),
        ("a.b/*.png", "axb/1.png"),
    ],
)
def test_other_files_have_no_name(pattern: str, path: str) -> None:
    assert Glob(pattern).name(path) is None


@pytest.mark.parametrize(
    ("pattern", "prefix"),
    [("images/**", "images"), ("a/b/*.png", "a/b"), ("**/*.png", ""), ("*/images/*.png", ""), ("one.png", "")],
)
def test_only_the_folders_in_front_of_the_wildcards_need_listing(pattern: str, prefix: str) -> None:
    assert Glob(pattern).prefix == prefix
