"""Manifests as spreadsheets and other programs write them."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.errors import UserError
from components.example_gen.config import ManifestSource
from components.example_gen.pairing import Listing
from components.example_gen.quarantine import Reason
from components.example_gen.sources import open_source
from components.example_gen.tables import parse_table
from tests.support.data_set import DataSet

WANTED = ("image", "mask")


@pytest.fixture
def files(data_set: DataSet) -> DataSet:
    for number in range(6):
        data_set.write(f"images/p{number}.png", b"x")
        data_set.write(f"masks/p{number}.png", b"x")
    return data_set


def rows(delimiter: str, tail: str = "", count: int = 6) -> str:
    return "".join(f"images/p{n}.png{delimiter}masks/p{n}.png{tail}\r\n" for n in range(count))


def listing(data_set: DataSet, content: str | bytes, file: str = "index.csv", **settings: Any) -> Listing:
    data_set.write(file, content if isinstance(content, bytes) else content.encode())
    return open_source(ManifestSource(root=str(data_set.root), file=file, **settings)).listing()


@pytest.mark.parametrize(
    ("content", "file", "settings"),
    [
        ("image;mask\r\n" + rows(";"), "index.csv", {}),
        ("image\tmask\r\n" + rows("\t"), "index.csv", {}),
        ("image|mask\r\n" + rows("|"), "index.csv", {}),
        ("image\tmask\r\n" + rows("\t"), "index.tsv", {}),
        (("image\tmask\r\n" + rows("\t")).encode("utf-16"), "index.txt", {}),
        ("\ufeff" + "sep=;\r\nimage;mask\r\n" + rows(";"), "index.csv", {}),
        ("image mask\n" + rows(" "), "index.csv", {"delimiter": " "}),
        ("image\tmask\n" + rows("\t"), "index.csv", {"delimiter": "tab"}),
        ("\ufeffimage,mask,,\r\n" + rows(",", ",,"), "index.csv", {}),
        ("image,mask,,\r\n" + rows(","), "index.csv", {}),
        ("image,mask\r\n" + rows(",", ","), "index.csv", {}),
        ("image,mask\r\n" + rows(",") + ",\r\n\r\n , \r\n", "index.csv", {}),
        (",,\r\nimage,mask,\r\n" + rows(",", ","), "index.csv", {}),
        ("Image , MASK\n" + rows(" , "), "index.csv", {}),
        ('"image", "mask"\n' + rows(","), "index.csv", {}),
    ],
)
def test_a_table_is_read_as_programs_write_it(
    files: DataSet, content: str | bytes, file: str, settings: dict[str, Any]
) -> None:
    found = listing(files, content, file, **settings)
    assert [(pair.image, pair.mask) for pair in found.pairs] == [
        (f"images/p{n}.png", f"masks/p{n}.png") for n in range(6)
    ]
    assert not found.quarantined
    assert not any(pair.slices for pair in found.pairs)


def test_the_header_decides_on_the_delimiter_and_not_what_is_in_cells(files: DataSet) -> None:
    comma = listing(files, 'image,mask,"a;b;c;d"\n' + rows(",", ',"1;2;3;4"'))
    assert [pair.slices for pair in comma.pairs] == [{"a;b;c;d": "1;2;3;4"}] * 6
    semicolon = listing(files, "image;mask;area\n" + rows(";", ";0,5"))
    assert [pair.slices for pair in semicolon.pairs] == [{"area": "0,5"}] * 6


cells = st.text(st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\ufeff"), max_size=8)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.lists(st.tuples(cells, cells, cells), min_size=1, max_size=5),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_what_the_csv_module_writes_is_read_back(
    written: list[tuple[str, str, str]], delimiter: str, encoding: str, end: str
) -> None:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator=end).writerows([("image", "mask", "note"), *written])
    table = parse_table(text.getvalue().encode(encoding), "index.csv", None, WANTED)
    stripped = [tuple(cell.strip() for cell in row) for row in written]
    assert [tuple(row.cells.values()) for row in table.rows] == [row for row in stripped if any(row)]


@pytest.mark.parametrize("file", ["index.json", "index.jsonl", "index.csv"])
def test_a_json_list_is_read_as_lines_are(files: DataSet, file: str) -> None:
    objects = [{"image": f"images/p{n}.png", "mask": f"masks/p{n}.png", "count": n} for n in range(6)]
    found = listing(files, json.dumps(objects, indent=1), file)
    assert [pair.slices["count"] for pair in found.pairs] == [str(n) for n in range(6)]
    assert listing(files, "\n".join(map(json.dumps, objects)), file).pairs == found.pairs


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\x03\x04" + bytes(40), "is a spreadsheet or another zip file.* save the sheet as CSV"),
        (b"\xd0\xcf\x11\xe0" + bytes(40), "is an old Excel file.* save the sheet as CSV"),
        (b"PAR1abc", "is a Parquet file"),
        (b"\x1f\x8b\x08", "is compressed; unpack it"),
        (("image\tmask\n" + rows("\t")).encode("utf-16-le"), "holds zero bytes, as UTF-16 without its mark"),
        (
            "image,mask,place\na,b,Köln\n".encode("latin-1"),
            r"is not UTF-8 \(byte 22, line 2, .* 'ö'\); save it as UTF-8",
        ),
        (b"\xff\xfei\0m", "is not valid UTF-16-LE, although it begins as such"),
        ("filename;segmentation;n\n" + rows(";", ";1"), "image_column: filename and mask_column: segmentation under"),
        ("foo,bar,n\n" + rows(",", ",1"), "it has foo, bar, n; write image_column: foo and mask_column: bar under"),
        ("image,label,n\n" + rows(",", ",1"), "no column 'mask'; it has image, label, n; write mask_column: label"),
        ("image mask\n" + rows(" "), "'image mask' alone; write delimiter: ' ' under data.source"),
        ("Image,IMAGE,mask\n" + rows(",", ",x"), "several columns for 'image': Image, IMAGE"),
        (rows(","), "has no header: its first line names files .* above it, such as 'image,mask'"),
        (rows(";"), "such as 'image;mask'"),
        (
            ",image,mask\n" + "0,images/p0.png,masks/p0.png\n",
            "a column without a name, column 1, which holds '0' in line 2",
        ),
        ("image,mask,\n" + rows(",", ",x"), "a column without a name, column 3, which holds 'x' in line 2"),
        ('{"images": [], "annotations": []}', "is one JSON object with the keys images, annotations"),
        ('{"image": {"0": "a"},\n "mask": {"0": "b"}}', "is one JSON object with the keys image, mask"),
    ],
)
def test_what_cannot_be_read_is_named_with_what_to_do(files: DataSet, content: str | bytes, words: str) -> None:
    with pytest.raises(UserError, match=words):
        listing(files, content)


def test_a_column_split_gives_the_splits_under_the_names_that_others_use(files: DataSet) -> None:
    values = ["train", "Training", "val", "DEV", "testing", ""]
    content = "image,mask,Split,place\n" + "".join(
        f"images/p{n}.png,masks/p{n}.png,{value},bonn\n" for n, value in enumerate(values)
    )
    found = listing(files, content)
    assert [pair.split for pair in found.pairs] == ["train", "train", "eval", "eval", "test", None]
    assert [pair.slices for pair in found.pairs] == [{"place": "bonn"}] * 6
    assert any(
        "the column 'Split' gives the splits (1 train, 1 Training → train, 1 val → eval" in n for n in found.notes
    )
    assert any("each further column is a slice: place" in note for note in found.notes)


@pytest.mark.parametrize("name", ["valid", "validation", "val", "dev", "Eval", "evaluation"])
def test_names_of_the_eval_split(files: DataSet, name: str) -> None:
    found = listing(files, "image,mask,split\n" + rows(",", f",{name}"))
    assert {pair.split for pair in found.pairs} == {"eval"}


def test_other_names_of_splits_come_from_the_configuration_or_are_set_aside(
    files: DataSet,
) -> None:
    content = "image,mask,split\n" + rows(",", ",holdout")
    assert {pair.split for pair in listing(files, content, split_names={"Holdout": "test"}).pairs} == {"test"}
    entries = listing(files, content).quarantined
    assert {entry.reason for entry in entries} == {Reason.BAD_ROW}
    assert {entry.cause for entry in entries} == {"has the split 'holdout', but the splits are train, eval, test"}
    assert 'split_names: {"holdout": test}' in (entries[0].remedy or "")
    with pytest.raises(ValueError, match="unknown split 'holdout'"):
        ManifestSource(root="x", split_names={"a": "holdout"})


def test_a_column_split_is_a_slice_where_the_configuration_says_so(files: DataSet) -> None:
    content = "image,mask,split,part\n" + rows(",", ",north,train")
    as_slice = listing(files, content, slice_columns=("split",)).pairs[0]
    assert (as_slice.split, as_slice.slices) == (None, {"split": "north"})
    other_case = listing(files, content, slice_columns=("Split",)).pairs[0]
    assert (other_case.split, other_case.slices) == (None, {"Split": "north"})
    other = listing(files, content, split_column="part").pairs[0]
    assert (other.split, other.slices) == ("train", {"split": "north"})


def test_a_column_group_is_the_group_and_one_that_may_be_is_pointed_out(files: DataSet) -> None:
    found = listing(files, "image,mask,group,site\n" + rows(",", ",g1,a"))
    assert {(pair.group, tuple(pair.slices)) for pair in found.pairs} == {("g1", ("site",))}
    assert any("rows of equal 'group' stay in one split" in note for note in found.notes)
    found = listing(files, "image,mask,Patient\n" + rows(",", ",p1"))
    assert {(pair.group, tuple(pair.slices)) for pair in found.pairs} == {(None, ("Patient",))}
    assert any("write group_column: Patient under data.source" in note for note in found.notes)


@pytest.mark.parametrize("delimiter", ["a", ";;", '"', ""])
def test_what_is_not_a_delimiter_is_refused(delimiter: str) -> None:
    with pytest.raises(ValueError, match="is not a delimiter"):
        ManifestSource(root="x", delimiter=delimiter)
