from __future__ import annotations

import datetime
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.example_gen.config import FoldersSource, ManifestSource
from components.example_gen.dates import DatedPath, split_root

MAY = datetime.date(2024, 5, 1)
DATES = st.dates(min_value=datetime.date(1900, 1, 1))
PATTERNS = ["{date}/images/**", "{date:%Y/%m/%d}/**", "{date:%Y}/{date:%m}/{date:%d}.csv", "a {date:%d.%m.%Y} b/*.png"]


@pytest.mark.parametrize(
    ("pattern", "path", "label"),
    [
        ("{date}/images/**", "2024-05-01/images/**", "2024-05-01"),
        ("{date:%Y/%m}/images/**", "2024/05/images/**", "2024-05"),
        ("{date:%Y}/index-{date:%Y%m%d}.csv", "2024/index-20240501.csv", "2024-05-01"),
        ("100%Y/{date:%Y}/x", "100%Y/2024/x", "2024"),
    ],
)
def test_a_date_fills_its_places_and_is_called_as_precisely_as_they_are(pattern: str, path: str, label: str) -> None:
    dated = DatedPath(pattern)
    assert (dated.at(MAY), dated.label(MAY)) == (path, label)


@given(date=DATES, pattern=st.sampled_from(PATTERNS))
def test_a_filled_path_tells_its_date(date: datetime.date, pattern: str) -> None:
    dated = DatedPath(pattern)
    depth = len(dated.names) + (len(dated.prefix.split("/")) if dated.prefix else 0)
    assert dated.date_of("/".join(dated.at(date).split("/")[:depth])) == date


@pytest.mark.parametrize("name", ["2024-5-01", "2024-13-01", "2024-02-30", "x2024-05-01", "2024-05-01~", "٢٠٢٤-٠٥-٠١"])
def test_what_is_no_date_is_none(name: str) -> None:
    assert DatedPath("{date}/**").date_of(name) is None


def test_parts_that_contradict_each_other_are_no_date() -> None:
    dated = DatedPath("{date:%Y}/{date}/**")
    assert dated.date_of("2024/2024-05-01") == MAY
    assert dated.date_of("2023/2024-05-01") is None


def test_folders_before_the_date_may_be_wild() -> None:
    dated = DatedPath("city/*(new)/{date}_[ab]/*.png")
    assert dated.prefix == "city"
    assert [
        bool(re.fullmatch(name, text)) for name, text in zip(dated.names, ["ulm(new)", "2024-05-01_a"], strict=True)
    ]
    assert dated.date_of("city/ulm(new)/2024-05-01_b") == MAY


@pytest.mark.parametrize(
    ("root", "parts"),
    [
        ("data", ("data", "")),
        ("data/{date}", ("data", "{date}")),
        ("data/{date}/north/", ("data", "{date}/north")),
        ("data/{date:%Y/%m}", ("data", "{date:%Y/%m}")),
        ("{date}", (".", "{date}")),
        ("/{date}", ("/", "{date}")),
        ("data/day-{date}", ("data", "day-{date}")),
        ("gs://bucket/{date}", ("gs://bucket", "{date}")),
    ],
)
def test_a_root_is_cut_above_its_date(root: str, parts: tuple[str, str]) -> None:
    assert split_root(root) == parts


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"root": "gs://{date}/data"}, "name of a bucket"),
        ({"root": "data/{date:%Y-%B}"}, "%B is not supported"),
        ({"root": "data/{date:%m-%d}"}, r"must have a year \(%Y\)"),
        ({"root": "data/{date:%Y-%d}"}, "if it has a day"),
        ({"root": "data/{date:week}"}, r"must have a year \(%Y\)"),
        ({"images": ("**/{date}/*.png",), "masks": ("**/{date}/*.png",)}, r"before \*\*"),
        ({"images": ("{date}/*.png",)}, "must have the same dates"),
        ({"images": ("{date}/*.png",), "masks": ("{date:%Y-%m}/*.png",)}, "must have the same dates"),
        ({"window": 2}, "need paths with {date}"),
        ({"dates": ("2024-05-01",)}, "need paths with {date}"),
        ({"root": "data/{date}", "window": 0}, "greater than or equal to 1"),
    ],
)
def test_dates_that_cannot_be_looked_for_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FoldersSource.model_validate({"root": "data", **changes})


def test_root_or_file_of_a_manifest_may_be_dated() -> None:
    for source in (
        ManifestSource(root="data/{date}", window=3),
        ManifestSource(root="data", file="index-{date}.csv"),
        ManifestSource(root="data/{date:%Y}", file="index-{date:%Y-%m}.csv"),
    ):
        assert source.dates is None
