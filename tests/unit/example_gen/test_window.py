"""Data that comes a date at a time: the window that a run reads, and several dates as one listing."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest

from common.errors import UserError
from components.example_gen.config import FoldersSource, ManifestSource, TfdsSource
from components.example_gen.quarantine import Reason
from components.example_gen.sources import data_fingerprint, open_source
from components.example_gen.window import resolve_dates
from tests.support.bucket import SCHEME
from tests.support.data_set import DataSet, encode, photo

TODAY = datetime.date(2024, 5, 4)


@pytest.fixture(params=["local", "bucket"])
def root(request: pytest.FixtureRequest, data_set: DataSet) -> str:
    """The folder with the data of all dates, on a disk or as a bucket."""
    data_set.root.mkdir()
    return str(data_set.root) if request.param == "local" else f"{SCHEME}:/{data_set.root}"


def add_day(data_set: DataSet, folder: str, *names: str) -> None:
    day = DataSet(data_set.root / folder)
    for name in names:
        day.add(name, image=photo(seed=sum(f"{folder}{name}".encode())))


def resolved(data_set: DataSet, source: Any, date: datetime.date = TODAY) -> Any:
    return resolve_dates(data_set.config(source=source), date).source


def ids(source: Any) -> list[str]:
    return sorted(pair.id for pair in open_source(source).listing().pairs)


def test_a_run_reads_the_newest_date_until_its_own(data_set: DataSet, root: str) -> None:
    for day in ("2024-05-01", "2024-05-03", "2024-05-05"):
        add_day(data_set, day, "a", "b")
    source = resolved(data_set, FoldersSource(root=f"{root}/{{date}}"))
    assert source.dates == (datetime.date(2024, 5, 3),)
    assert ids(source) == ["2024-05-03/a", "2024-05-03/b"]


def test_a_window_is_one_listing_with_names_of_its_own_for_each_date(data_set: DataSet, root: str) -> None:
    for day in ("2024-04-30", "2024-05-01", "2024-05-03", "2024-05-04"):
        add_day(data_set, day, "a", "sub/a")
    source = resolved(data_set, FoldersSource(root=f"{root}/{{date}}", window=3))
    assert ids(source) == [f"2024-05-0{day}/{name}" for day in (1, 3, 4) for name in ("a", "sub/a")]
    summary, quarantined = data_set.survey(source=source)
    assert sum(summary.used.values()) == 6
    assert not quarantined


@pytest.mark.parametrize(
    ("folder", "root_tail", "images", "masks"),
    [
        ("2024/05/{}/x", "{date:%Y/%m/%d}/x", "images/**", "masks/**"),
        ("day-202405{}", "", "day-{date:%Y%m%d}/images/**", "day-{date:%Y%m%d}/masks/**"),
        ("ulm/2024-05-{}", "", "*/{date}/images/*", "*/{date}/masks/*"),
        ("2024/2024-05-{}", "{date:%Y}", "{date}/images/*", "{date}/masks/*"),
    ],
)
def test_the_date_may_be_written_in_many_ways(
    data_set: DataSet, root: str, folder: str, root_tail: str, images: str, masks: str
) -> None:
    for day in ("01", "02", "03"):
        add_day(data_set, folder.format(day), "a")
    where = "/".join(filter(None, [root, root_tail]))
    source = resolved(data_set, FoldersSource(root=where, images=(images,), masks=(masks,), window=2))
    assert source.dates == (datetime.date(2024, 5, 2), datetime.date(2024, 5, 3))
    assert [name.rsplit("/")[0] for name in ids(source)] == ["2024-05-02", "2024-05-03"]
    summary, _ = data_set.survey(source=source)
    assert sum(summary.used.values()) == 2


def test_the_date_may_be_in_the_names_of_files(data_set: DataSet, root: str) -> None:
    add_day(data_set, "", "2024-05-01_a", "2024-05-02_a", "2024-05-02_b")
    source = FoldersSource(root=root, images=("images/{date}_*.png",), masks=("masks/{date}_*.png",))
    assert ids(resolved(data_set, source)) == ["2024-05-02/a", "2024-05-02/b"]


def test_months_and_years_are_dates_too(data_set: DataSet, root: str) -> None:
    for month in ("2024-03", "2024-05", "2024-06"):
        add_day(data_set, month, "a")
    source = resolved(data_set, FoldersSource(root=f"{root}/{{date:%Y-%m}}", window=9))
    assert ids(source) == ["2024-03/a", "2024-05/a"]


def test_a_window_that_is_not_full_yet_is_read(data_set: DataSet, root: str) -> None:
    add_day(data_set, "2024-05-01", "a")
    assert len(resolved(data_set, FoldersSource(root=f"{root}/{{date}}", window=7)).dates) == 1


def test_folders_without_a_file_and_names_that_are_no_date_do_not_count(data_set: DataSet) -> None:
    add_day(data_set, "2024-05-01", "a")
    add_day(data_set, "2024-05-01~old", "a")
    (data_set.root / "2024-05-02" / "images").mkdir(parents=True)
    (data_set.root / "2024-05-03").write_text("no folder, but there is something of that name")
    source = resolved(data_set, FoldersSource(root=f"{data_set.root}/{{date}}", window=9))
    assert source.dates == (datetime.date(2024, 5, 1),)


def test_a_window_without_data_says_what_was_looked_for_and_what_is_there(data_set: DataSet, root: str) -> None:
    data_set.write("notes/readme.txt", b"x")
    with pytest.raises(UserError, match=r"no data up to 2024-05-04: looked in .* for \{date\}/images/\*\*.*notes/"):
        resolved(data_set, FoldersSource(root=f"{root}/{{date}}"))
    add_day(data_set, "2024-05-05", "a")
    with pytest.raises(UserError, match="data of 2024-05-05 only, which is later or empty"):
        resolved(data_set, FoldersSource(root=f"{root}/{{date}}"))


def test_dates_that_are_given_and_data_without_dates_stay_as_they_are(data_set: DataSet) -> None:
    may = datetime.date(2024, 5, 1)
    for source in (
        FoldersSource(root="nowhere/{date}", dates=(may,)),
        FoldersSource(root="nowhere"),
        TfdsSource(name="nothing"),
    ):
        assert resolved(data_set, source) is source


def test_a_date_without_masks_is_set_aside_pair_by_pair(data_set: DataSet, root: str) -> None:
    add_day(data_set, "2024-05-01", "a")
    data_set.write("2024-05-02/images/b.png", encode(photo(seed=7)))
    source = resolved(data_set, FoldersSource(root=f"{root}/{{date}}", window=2))
    assert data_set.reasons(source=source) == {"2024-05-02/b": Reason.MISSING_MASK}


def test_masks_of_another_date_are_no_partner(data_set: DataSet) -> None:
    add_day(data_set, "2024-05-01", "a")
    add_day(data_set, "2024-05-02", "a", "b")
    (data_set.root / "2024-05-02/masks/a.png").unlink()
    source = resolved(data_set, FoldersSource(root=f"{data_set.root}/{{date}}", window=2))
    assert data_set.reasons(source=source) == {"2024-05-02/a": Reason.MISSING_MASK}


def test_the_same_picture_on_two_dates_falls_into_one_split(data_set: DataSet) -> None:
    for day in ("2024-05-01", "2024-05-02"):
        for number in range(30):
            DataSet(data_set.root / day).add(str(number), image=photo(seed=number))
    source = resolved(data_set, FoldersSource(root=f"{data_set.root}/{{date}}", window=2))
    summary, quarantined = data_set.survey(source=source)
    assert not quarantined
    assert all(count % 2 == 0 for count in summary.used.values())


def test_manifests_of_several_dates_become_one_listing(data_set: DataSet, root: str) -> None:
    add_day(data_set, "2024-05-01", "a", "b")
    add_day(data_set, "2024-05-02", "a")
    data_set.write("2024-05-01/index.csv", b"image,mask,light\nimages/a.png,masks/a.png,dim\n")
    data_set.write(
        "2024-05-02/index.csv", b"image,mask,city\nimages/a.png,masks/a.png,ulm\nimages/b.png,masks/b.png,bonn\n"
    )
    source = resolved(data_set, ManifestSource(root=f"{root}/{{date}}", window=2))
    summary, [missing] = data_set.survey(source=source)
    assert summary.slices == {"light": {"dim": 1, "unknown": 1}, "city": {"ulm": 1, "unknown": 1}}
    assert (missing.id, missing.image) == ("2024-05-02/images/b", "2024-05-02/images/b.png")
    assert missing.detail.startswith("index.csv of 2024-05-02: row 3 names the image images/b.png")
    assert ids(source) == ["2024-05-01/images/a", "2024-05-02/images/a"]


def test_a_manifest_for_each_date_may_lie_beside_common_folders(data_set: DataSet, root: str) -> None:
    add_day(data_set, "", "a", "b")
    for day, name in (("2024-05-01", "a"), ("2024-05-02", "b"), ("2024-05-09", "a")):
        data_set.write(f"index-{day}.csv", f"image,mask\nimages/{name}.png,masks/{name}.png\n".encode())
    source = resolved(data_set, ManifestSource(root=root, file="index-{date}.csv", window=2))
    assert ids(source) == ["2024-05-01/images/a", "2024-05-02/images/b"]
    assert sum(data_set.survey(source=source)[0].used.values()) == 2


def test_a_group_stays_in_one_split_over_all_dates(data_set: DataSet) -> None:
    for day, split in (("2024-05-01", "train"), ("2024-05-02", "test")):
        add_day(data_set, day, "a")
        data_set.write(f"{day}/index.csv", f"image,mask,split,patient\nimages/a.png,masks/a.png,{split},p1\n".encode())
    source = ManifestSource(root=f"{data_set.root}/{{date}}", window=2, split_column="split", group_column="patient")
    assert data_set.reasons(source=resolved(data_set, source)) == {"2024-05-01/images/a": Reason.LEAK}


def test_a_row_cannot_reach_another_date(data_set: DataSet, root: str) -> None:
    add_day(data_set, "2024-05-01", "a")
    add_day(data_set, "2024-05-02", "a")
    rows = b"image,mask\nimages/a.png,masks/a.png\n../2024-05-01/images/a.png,masks/a.png\n"
    data_set.write("2024-05-02/index.csv", rows)
    source = resolved(data_set, ManifestSource(root=f"{root}/{{date}}"))
    assert list(data_set.reasons(source=source).values()) == [Reason.OUTSIDE_ROOT]


def test_a_folder_of_a_date_that_leads_out_of_the_root_is_not_read(data_set: DataSet, tmp_path: Path) -> None:
    add_day(data_set, "2024-05-01", "a")
    outside = DataSet(tmp_path / "outside")
    outside.add("a")
    (data_set.root / "2024-05-02").symlink_to(outside.root)
    source = resolved(data_set, FoldersSource(root=f"{data_set.root}/{{date}}", window=2))
    assert ids(source) == ["2024-05-01/a"]
    assert Reason.OUTSIDE_ROOT in data_set.reasons(source=source).values()


def test_the_fingerprint_changes_with_the_window_and_only_with_it(data_set: DataSet) -> None:
    for day in ("2024-05-01", "2024-05-02"):
        add_day(data_set, day, "a")
        data_set.write(f"{day}/index.csv", b"image,mask\nimages/a.png,masks/a.png\n")
    for kind in (FoldersSource, ManifestSource):
        source = kind(root=f"{data_set.root}/{{date}}", window=2)
        first = data_fingerprint(resolved(data_set, source))
        assert data_fingerprint(resolved(data_set, source, datetime.date(2024, 6, 1))) == first
        assert data_fingerprint(resolved(data_set, source, datetime.date(2024, 5, 1))) != first


def test_a_source_whose_dates_are_not_settled_is_not_read(data_set: DataSet) -> None:
    add_day(data_set, "2024-05-01", "a")
    with pytest.raises(ValueError, match="not resolved"):
        data_fingerprint(FoldersSource(root=f"{data_set.root}/{{date}}"))
