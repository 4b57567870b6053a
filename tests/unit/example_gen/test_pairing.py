from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from common.errors import UserError
from components.example_gen.config import FoldersSource
from components.example_gen.pairing import Listing
from components.example_gen.quarantine import Reason
from components.example_gen.sources import open_source
from tests.support.data_set import DataSet


def listing(data_set: DataSet, **settings: Any) -> Listing:
    return open_source(FoldersSource(root=str(data_set.root), **settings)).listing()


def touch(data_set: DataSet, *paths: str) -> None:
    for path in paths:
        data_set.write(path, b"x")


def test_files_of_one_stem_are_a_pair_whatever_their_suffix(data_set: DataSet) -> None:
    touch(data_set, "images/a/1.jpg", "masks/a/1.png", "images/2.JPEG", "masks/2.gif")
    found = listing(data_set)
    assert [(pair.id, pair.image, pair.mask) for pair in found.pairs] == [
        ("2", "images/2.JPEG", "masks/2.gif"),
        ("a/1", "images/a/1.jpg", "masks/a/1.png"),
    ]
    assert not found.quarantined


def test_the_suffix_of_masks_is_taken_off_their_names(data_set: DataSet) -> None:
    touch(data_set, "1.png", "1_mask.png")
    found = listing(data_set, images=("*.png",), masks=("*.png",), mask_suffix="_mask")
    assert [(pair.id, pair.image, pair.mask) for pair in found.pairs] == [("1", "1.png", "1_mask.png")]


def test_what_has_no_partner_is_quarantined(data_set: DataSet) -> None:
    touch(data_set, "images/1.png", "masks/1.png", "images/2.png", "masks/3.png")
    found = listing(data_set)
    assert [pair.id for pair in found.pairs] == ["1"]
    assert [(entry.id, entry.image, entry.mask, entry.reason) for entry in found.quarantined] == [
        ("2", "images/2.png", None, Reason.MISSING_MASK),
        ("3", None, "masks/3.png", Reason.MISSING_IMAGE),
    ]


def test_two_files_of_one_stem_and_their_partner_are_all_quarantined(data_set: DataSet) -> None:
    touch(data_set, "images/1.png", "images/1.jpg", "masks/1.png", "images/2.png", "masks/2.png")
    found = listing(data_set)
    assert [pair.id for pair in found.pairs] == ["2"]
    assert {(entry.image, entry.mask) for entry in found.quarantined} == {
        ("images/1.png", None),
        ("images/1.jpg", None),
        (None, "masks/1.png"),
    }
    assert all(entry.reason is Reason.AMBIGUOUS_NAME for entry in found.quarantined)
    assert all("images/1.jpg, images/1.png, masks/1.png" in entry.detail for entry in found.quarantined)


def test_strays_are_counted_and_nothing_else(data_set: DataSet) -> None:
    touch(data_set, "images/1.png", "masks/1.png", "images/.DS_Store", "images/._1.png", "masks/Thumbs.db")
    touch(data_set, "images/__MACOSX/1.png", "images/notes.txt", "README.md")
    found = listing(data_set)
    assert len(found.pairs) == 1
    assert found.ignored_files == 5
    assert not found.quarantined


def test_pictures_that_nobody_reads_here_still_find_their_partner(data_set: DataSet) -> None:
    touch(data_set, "images/1.heic", "masks/1.png")
    assert [pair.id for pair in listing(data_set).pairs] == ["1"]


def test_a_link_that_leaves_the_root_is_quarantined_and_not_followed(data_set: DataSet) -> None:
    secret = data_set.root.parent / "secret.png"
    touch(data_set, "images/1.png", "masks/1.png", "masks/2.png")
    secret.write_bytes(b"x")
    (data_set.root / "images/2.png").symlink_to(secret)
    [entry] = listing(data_set).quarantined
    assert (entry.id, entry.image, entry.mask, entry.reason) == (
        "2",
        "images/2.png",
        "masks/2.png",
        Reason.OUTSIDE_ROOT,
    )


def test_a_folder_that_leaves_the_root_is_quarantined_and_not_entered(data_set: DataSet) -> None:
    touch(data_set, "images/1.png", "masks/1.png")
    outside = data_set.root.parent / "outside"
    outside.mkdir()
    (outside / "2.png").write_bytes(b"x")
    (data_set.root / "images/more").symlink_to(outside)
    [entry] = listing(data_set).quarantined
    assert (entry.image, entry.reason) == ("images/more", Reason.OUTSIDE_ROOT)


def test_links_within_the_root_are_followed_once_even_in_a_circle(data_set: DataSet) -> None:
    touch(data_set, "store/1.png", "masks/1.png", "masks/a/1.png")
    (data_set.root / "images").mkdir()
    (data_set.root / "images/1.png").symlink_to(data_set.root / "store/1.png")
    (data_set.root / "images/a").symlink_to(data_set.root / "store")
    (data_set.root / "store/circle").symlink_to(data_set.root / "store")
    found = listing(data_set)
    assert [pair.id for pair in found.pairs] == ["1", "a/1"]
    assert not found.quarantined


def test_a_dangling_link_and_a_pipe_are_quarantined_without_opening_them(data_set: DataSet) -> None:
    touch(data_set, "images/1.png", "masks/1.png", "masks/2.png", "masks/3.png")
    (data_set.root / "images/2.png").symlink_to("nothing.png")
    os.mkfifo(data_set.root / "images/3.png")
    found = listing(data_set)
    assert {entry.id: entry.reason for entry in found.quarantined} == {"2": Reason.UNREADABLE, "3": Reason.UNREADABLE}


def test_a_name_that_is_not_utf8_is_quarantined(data_set: DataSet) -> None:
    touch(data_set, "images/1.png", "masks/1.png")
    for folder in (b"images", b"masks"):
        Path(os.fsdecode(os.fsencode(data_set.root) + b"/" + folder + b"/\xff.png")).touch()
    [entry] = listing(data_set).quarantined
    assert entry.reason is Reason.UNREADABLE
    assert "UTF-8" in entry.detail


def test_a_missing_root_is_an_error_that_says_what_is_there(data_set: DataSet) -> None:
    touch(data_set, "images/1.png")
    with pytest.raises(UserError, match=r"is not a folder; .* holds images"):
        open_source(FoldersSource(root=str(data_set.root / "imagse"))).listing()


def test_globs_without_a_match_are_an_error_that_says_what_is_there(data_set: DataSet) -> None:
    touch(data_set, "pictures/1.png", "masks/1.png")
    with pytest.raises(UserError, match=r"no image matches images/\*\* .* instead: masks/, pictures/"):
        listing(data_set)


def test_stems_that_never_meet_are_an_error_that_shows_two_of_them(data_set: DataSet) -> None:
    touch(data_set, "images/1.png", "masks/1_label.png")
    with pytest.raises(UserError, match="named '1', the first mask '1_label'; the masks"):
        listing(data_set)


def test_a_file_that_is_image_and_mask_is_an_error(data_set: DataSet) -> None:
    touch(data_set, "1.png", "1_mask.png")
    with pytest.raises(UserError, match="set mask_suffix"):
        listing(data_set, images=("*.png",), masks=("*_mask.png",))


@pytest.mark.parametrize("glob", ["../outside/*.png", "/etc/*.png"])
def test_a_glob_that_leaves_the_root_is_an_error(data_set: DataSet, glob: str) -> None:
    touch(data_set, "images/1.png", "masks/1.png")
    (data_set.root.parent / "outside").mkdir()
    (data_set.root.parent / "outside/1.png").write_bytes(b"x")
    with pytest.raises(UserError, match="leaves the root"):
        listing(data_set, images=(glob,))
