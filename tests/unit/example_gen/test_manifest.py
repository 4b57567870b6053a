from __future__ import annotations

import json
from typing import Any

import pytest

from common.errors import UserError
from components.example_gen.config import ManifestSource
from components.example_gen.pairing import Listing
from components.example_gen.quarantine import Quarantined, Reason
from components.example_gen.sources import open_source
from tests.support.data_set import DataSet


@pytest.fixture
def files(data_set: DataSet) -> DataSet:
    for name in "123":
        data_set.write(f"images/{name}.png", b"x")
        data_set.write(f"masks/{name}.png", b"x")
    return data_set


def listing(data_set: DataSet, text: str, file: str = "index.csv", **settings: Any) -> Listing:
    data_set.write(file, text.encode())
    return open_source(ManifestSource(root=str(data_set.root), file=file, **settings)).listing()


def only(found: Listing) -> Quarantined:
    assert not found.pairs
    [entry] = found.quarantined
    return entry


def test_further_columns_are_slices(files: DataSet) -> None:
    found = listing(files, "image,mask,place,light\nimages/1.png,masks/1.png,bonn,\n")
    [pair] = found.pairs
    assert (pair.id, pair.image, pair.mask) == ("images/1", "images/1.png", "masks/1.png")
    assert pair.slices == {"place": "bonn", "light": "unknown"}


def test_id_split_and_group_come_from_their_columns(files: DataSet) -> None:
    rows = ("one,images/1.png,masks/1.png,test,f1,bonn", "two,./images//2.png,masks/2.png,,,")
    text = "\n".join(("\ufeffname,a,b,part,film,place", *rows))
    found = listing(
        files,
        text,
        image_column="a",
        mask_column="b",
        id_column="name",
        split_column="part",
        group_column="film",
        slice_columns=(),
    )
    first, second = found.pairs
    assert (first.id, first.split, first.group, first.slices) == ("one", "test", "f1", {})
    assert (second.id, second.image, second.split, second.group) == ("two", "images/2.png", None, None)


def test_jsonl_is_read_as_csv_is(files: DataSet) -> None:
    rows = [{"image": "images/1.png", "mask": "masks/1.png", "count": 3, "sunny": True}, {"image": "images/2.png"}]
    found = listing(files, "\n".join(map(json.dumps, rows)), "index.jsonl")
    assert found.pairs[0].slices == {"count": "3", "sunny": "true"}
    assert [(entry.image, entry.mask, entry.reason) for entry in found.quarantined] == [
        ("images/2.png", None, Reason.MISSING_MASK)
    ]


@pytest.mark.parametrize(
    ("row", "reason", "words"),
    [
        ("images/9.png,masks/1.png,", Reason.MISSING_IMAGE, "row 2 names the image images/9.png, which does not exist"),
        ("images/1.png,masks/9.png,", Reason.MISSING_MASK, "row 2 names the mask masks/9.png, which does not exist"),
        ("images/1.png,,", Reason.MISSING_MASK, "row 2 names no mask"),
        (",masks/1.png,", Reason.MISSING_IMAGE, "row 2 names no image"),
        ("images\\1.png,masks/1.png,", Reason.MISSING_IMAGE, "write / instead of"),
        ("images/1.png", Reason.BAD_ROW, "row 2 has 1 cells, but the header 3"),
        ("images/1.png,masks/1.png,a,b", Reason.BAD_ROW, "row 2 has 4 cells, but the header 3"),
        ("images/1.png,masks/1.png,part 3", Reason.BAD_ROW, "row 2 has the split 'part 3', but the splits are train"),
        ("../x.png,masks/1.png,", Reason.OUTSIDE_ROOT, "contains '..'"),
        ("images/1.png,masks/../../x.png,", Reason.OUTSIDE_ROOT, "contains '..'"),
        ("/etc/passwd,masks/1.png,", Reason.OUTSIDE_ROOT, "'/etc/passwd' is an absolute path"),
        ("C:\\data\\1.png,masks/1.png,", Reason.OUTSIDE_ROOT, "is an absolute path"),
        ("\\\\host\\1.png,masks/1.png,", Reason.OUTSIDE_ROOT, "is an absolute path"),
        ("file:///etc/passwd,masks/1.png,", Reason.OUTSIDE_ROOT, "is a URL"),
        ("gs://other/1.png,masks/1.png,", Reason.OUTSIDE_ROOT, "is a URL"),
        ("images,masks/1.png,", Reason.UNREADABLE, "images is not a regular file"),
    ],
)
def test_an_unusable_row_is_quarantined_with_its_number(files: DataSet, row: str, reason: Reason, words: str) -> None:
    entry = only(listing(files, f"image,mask,split\n{row}\n", split_column="split"))
    assert entry.reason is reason
    assert words in entry.detail


@pytest.mark.parametrize("path", ["images/\0.png", "\0/1.png"])
def test_a_zero_character_in_a_path_is_refused(files: DataSet, path: str) -> None:
    row = json.dumps({"image": path, "mask": "masks/1.png"})
    assert only(listing(files, row, "index.jsonl")).reason is Reason.OUTSIDE_ROOT


def test_a_list_of_somebody_elses_machine_says_what_to_take_off(files: DataSet) -> None:
    rows = [f"/home/somebody/set/images/{n}.png,/home/somebody/set/masks/{n}.png" for n in "12"]
    found = listing(files, "image,mask\n" + "\n".join(rows) + "\n")
    assert [entry.reason for entry in found.quarantined] == [Reason.OUTSIDE_ROOT] * 2
    assert "images/1.png exists below the root, so take '/home/somebody/set/' off" in found.quarantined[0].detail


def test_an_absolute_path_is_taken_where_it_lies_below_the_root(files: DataSet) -> None:
    (files.root.parent / "alias").symlink_to(files.root)
    rows = [f"{files.root}/images//1.png,masks/1.png", f"{files.root.parent}/alias/images/2.png,./masks/2.png"]
    found = listing(files, "image,mask\n" + "\n".join(rows))
    assert [(pair.id, pair.image, pair.mask) for pair in found.pairs] == [
        ("images/1", "images/1.png", "masks/1.png"),
        ("images/2", "images/2.png", "masks/2.png"),
    ]


def test_an_absolute_path_must_not_climb_out_of_the_root(files: DataSet) -> None:
    (files.root.parent / "secret.png").write_bytes(b"x")
    row = f"{files.root}/../secret.png,masks/1.png"
    assert only(listing(files, f"image,mask\n{row}\n", follow_links=True)).reason is Reason.OUTSIDE_ROOT


def test_a_link_that_leaves_the_root_is_quarantined(files: DataSet) -> None:
    (files.root.parent / "secret.png").write_bytes(b"x")
    (files.root / "images/4.png").symlink_to(files.root.parent / "secret.png")
    (files.root / "more").symlink_to(files.root.parent)
    text = "image,mask\nimages/4.png,masks/1.png\nmore/secret.png,masks/2.png\n"
    found = listing(files, text)
    assert [entry.reason for entry in found.quarantined] == [Reason.OUTSIDE_ROOT] * 2


def test_rows_that_share_an_id_are_all_quarantined(files: DataSet) -> None:
    found = listing(files, "image,mask,id\nimages/1.png,masks/1.png,a\nimages/2.png,masks/2.png,a\n", id_column="id")
    assert [entry.reason for entry in found.quarantined] == [Reason.AMBIGUOUS_NAME] * 2


@pytest.mark.parametrize("line", ["{broken", "[1, 2]", '{"image": "images/1.png", "mask": ["masks/1.png"]}'])
def test_a_line_that_is_no_flat_object_is_a_bad_row(files: DataSet, line: str) -> None:
    good = json.dumps({"image": "images/1.png", "mask": "masks/1.png"})
    found = listing(files, f"{good}\n{line}\n", "index.jsonl")
    assert len(found.pairs) == 1
    assert [entry.reason for entry in found.quarantined] == [Reason.BAD_ROW]


@pytest.mark.parametrize(
    ("text", "settings", "words"),
    [
        ("picture,label\na,b\n", {}, "no column 'image'; it has picture, label"),
        ("image:mask\na:b\n", {}, "no column 'image'; it has 'image:mask' alone; write delimiter: "),
        ("image,mask\na,b\n", {"split_column": "part"}, "no column 'part'; it has image, mask"),
        ("image,mask\na,b\n", {"slice_columns": ("place",)}, "no column 'place'"),
        ("image,mask,mask\na,b,c\n", {}, "two columns named 'mask'"),
        ("image,mask\n", {}, "has no row"),
        ("", {}, "has no row"),
        ('image,mask\n"a,b\n', {}, "is not a valid CSV file: line"),
    ],
)
def test_a_manifest_that_makes_no_sense_is_an_error(
    files: DataSet, text: str, settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(UserError, match=words):
        listing(files, text, **settings)


def test_a_missing_manifest_is_an_error_that_says_what_is_there(files: DataSet) -> None:
    with pytest.raises(UserError, match=r"no manifest index.csv in .*, which holds images/, masks/"):
        open_source(ManifestSource(root=str(files.root))).listing()


def test_a_manifest_outside_the_root_is_an_error(files: DataSet) -> None:
    with pytest.raises(UserError, match=r"contains '\.\.'"):
        open_source(ManifestSource(root=str(files.root), file="../index.csv")).listing()


def test_a_manifest_that_is_not_utf8_is_an_error(files: DataSet) -> None:
    files.write("index.csv", "image,mask\nä,b\n".encode("latin-1"))
    with pytest.raises(UserError, match="is not UTF-8"):
        open_source(ManifestSource(root=str(files.root))).listing()
