"""What `segpipe check` says of how it read the source, and of causes that many pairs share."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.support.data_set import CLASSES, DataSet, photo
from tests.support.tiny import UNTRAINED, segpipe_here

NAMES = [f"p{number:02d}" for number in range(12)]


@pytest.fixture
def data(data_set: DataSet) -> DataSet:
    for seed, name in enumerate(NAMES):
        data_set.add(name, image=photo(seed=seed))
    return data_set


@pytest.fixture
def data_set(tmp_path: Path) -> DataSet:
    return DataSet(tmp_path / "data")


def check(capfd: pytest.CaptureFixture[str], data: DataSet, table: str) -> str:
    data.write("index.csv", table.encode())
    config = {
        "name": "table",
        "workspace": str(data.root.parent / "run"),
        "data": {"source": {"type": "manifest", "root": str(data.root)}, "classes": [*CLASSES]},
        "trainer": UNTRAINED,
    }
    file = data.root.parent / "table.yaml"
    file.write_text(yaml.safe_dump(config))
    done = segpipe_here(capfd, "check", file)
    return done.stdout + done.stderr


def rows(values: list[str]) -> str:
    return "".join(f"images/{name}.png;masks/{name}.png;{v};bonn\r\n" for name, v in zip(NAMES, values, strict=True))


def test_check_says_which_columns_it_took_for_what(data: DataSet, capfd: pytest.CaptureFixture[str]) -> None:
    splits = ["train"] * 8 + ["val"] * 2 + ["test"] * 2
    said = check(capfd, data, "Image;Mask;split;place\r\n" + rows(splits))
    assert "index.csv: cells are separated by semicolons" in said
    assert "the column 'Image' is taken for 'image'" in said
    assert "the column 'split' gives the splits (8 train, 2 val → eval, 2 test)" in said
    assert "each further column is a slice: place" in said
    counted = {
        line.split()[0]: line.split()[1] for line in said.splitlines() if line.split()[0] in ("train", "eval", "test")
    }
    assert counted == {"train": "8", "eval": "2", "test": "2"}


def test_check_tells_a_cause_once_with_its_count_and_the_line_to_paste(
    data: DataSet, capfd: pytest.CaptureFixture[str]
) -> None:
    said = check(capfd, data, "image;mask;split;place\n" + rows(["train"] * 3 + ["holdout"] * 9))
    assert (
        said.count("'holdout', but the splits are") == 4
    )  # The cause and its example, here and in the gate's finding.
    assert "9 × bad_row: has the split 'holdout'" in said
    assert 'write split_names: {"holdout": test} (or train, or eval)' in said
    assert "9 of 12 pairs are quarantined" in said
