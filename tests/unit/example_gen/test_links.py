"""Links that lead out of the root, and a manifest outside it: read on request only."""

from __future__ import annotations

import datetime
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from common.errors import UserError
from components.example_gen.config import FoldersSource, ManifestSource
from components.example_gen.files import LocalFolder
from components.example_gen.quarantine import Reason
from components.example_gen.rejection import RejectionError
from components.example_gen.sources import data_fingerprint, open_source
from components.example_gen.window import resolve_dates
from tests.support.bucket import SCHEME
from tests.support.data_set import DataSet, photo

MANIFEST = b"image,mask\nimages/a.png,masks/a.png\nimages/b.png,masks/b.png\n"


@pytest.fixture
def share(tmp_path: Path) -> DataSet:
    """Data that lies elsewhere."""
    share = DataSet(tmp_path / "share")
    for seed, name in enumerate("ab"):
        share.add(name, image=photo(seed=seed))
    return share


def linked_folder(share: DataSet, work: DataSet) -> None:
    work.root.mkdir()
    for folder in ("images", "masks"):
        (work.root / folder).symlink_to(share.root / folder)


def linked_files(share: DataSet, work: DataSet) -> None:
    for folder in ("images", "masks"):
        (work.root / folder).mkdir(parents=True)
        for file in (share.root / folder).iterdir():
            (work.root / folder / file.name).symlink_to(file)


@pytest.mark.parametrize("link", [linked_folder, linked_files])
@pytest.mark.parametrize("kind", [FoldersSource, ManifestSource])
def test_data_is_used_where_it_lies_by_links(share: DataSet, data_set: DataSet, link: Any, kind: Any) -> None:
    link(share, data_set)
    data_set.write("index.csv", MANIFEST)
    summary, quarantined = data_set.survey(source=kind(root=str(data_set.root), follow_links=True))
    assert sum(summary.used.values()) == 2
    assert not quarantined


def test_without_the_key_nothing_outside_is_read_and_the_key_is_named(share: DataSet, data_set: DataSet) -> None:
    linked_files(share, data_set)
    data_set.write("index.csv", MANIFEST)
    for source in (FoldersSource(root=str(data_set.root)), ManifestSource(root=str(data_set.root))):
        found = open_source(source).listing()
        assert not found.pairs
        assert {entry.reason for entry in found.quarantined} == {Reason.OUTSIDE_ROOT}
        assert all("follow_links: true under data.source" in (entry.remedy or "") for entry in found.quarantined)


def test_a_file_that_became_a_link_since_it_was_listed_is_not_read(share: DataSet, data_set: DataSet) -> None:
    file = data_set.write("images/a.png", b"x")
    folder = LocalFolder(str(data_set.root))
    file.unlink()
    file.symlink_to(share.root / "images/a.png")
    with pytest.raises(RejectionError, match="leaves the root"):
        folder.read("images/a.png", 1_000_000)


def test_a_path_never_climbs_out_even_with_the_key(share: DataSet, data_set: DataSet) -> None:
    linked_folder(share, data_set)
    data_set.write("index.csv", b"image,mask\nimages/../../share/images/a.png,masks/a.png\n")
    [entry] = open_source(ManifestSource(root=str(data_set.root), follow_links=True)).listing().quarantined
    assert entry.reason is Reason.OUTSIDE_ROOT
    with pytest.raises(UserError, match="leaves the root"):
        open_source(FoldersSource(root=str(data_set.root), images=("../share/images/**",), follow_links=True)).listing()


def test_links_in_a_circle_end(share: DataSet, data_set: DataSet) -> None:
    linked_folder(share, data_set)
    (share.root / "images/again").symlink_to(share.root / "images")
    (share.root / "images/work").symlink_to(data_set.root / "images")
    assert len(open_source(FoldersSource(root=str(data_set.root), follow_links=True)).listing().pairs) == 2


@pytest.mark.parametrize("file", ["{base}/lists/index.csv", "../lists/index.csv"])
def test_a_manifest_outside_the_root_is_read_with_the_key(share: DataSet, tmp_path: Path, file: str) -> None:
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists/index.csv").write_bytes(MANIFEST)
    settings = {"root": str(share.root), "file": file.format(base=tmp_path)}
    with pytest.raises(UserError, match=r"the manifest must lie below .*; write follow_links: true under data.source"):
        open_source(ManifestSource(**settings)).listing()
    source = ManifestSource(**settings, follow_links=True)
    assert len(open_source(source).listing().pairs) == 2
    before = data_fingerprint(source)
    (tmp_path / "lists/index.csv").write_bytes(MANIFEST.replace(b"masks/b", b"masks/a"))
    assert data_fingerprint(source) != before
    (tmp_path / "lists/index.csv").unlink()
    with pytest.raises(UserError, match=r"there is no manifest .*/lists/index.csv"):
        open_source(source).listing()


def test_a_manifest_below_the_root_may_be_named_by_its_absolute_path(share: DataSet) -> None:
    file = share.write("lists/index.csv", MANIFEST)
    assert len(open_source(ManifestSource(root=str(share.root), file=str(file))).listing().pairs) == 2


def test_dated_manifests_outside_the_root(share: DataSet, tmp_path: Path, data_set: DataSet) -> None:
    (tmp_path / "lists").mkdir()
    for day in ("2024-05-01", "2024-05-02"):
        (tmp_path / f"lists/index-{day}.csv").write_bytes(MANIFEST)
    source = ManifestSource(
        root=str(share.root), file=f"{tmp_path}/lists/index-{{date}}.csv", window=2, follow_links=True
    )
    found = resolve_dates(data_set.config(source=source), datetime.date(2024, 5, 4)).source
    names = [pair.id for pair in open_source(found).listing().pairs]
    assert names == [f"2024-05-0{day}/images/{name}" for day in (1, 2) for name in "ab"]


@pytest.mark.parametrize("link", [linked_folder, linked_files])
def test_the_fingerprint_tells_what_links_lead_to(share: DataSet, data_set: DataSet, link: Any, tmp_path: Path) -> None:
    link(share, data_set)
    source = FoldersSource(root=str(data_set.root), follow_links=True)
    first = data_fingerprint(source)
    assert data_fingerprint(source) == first
    target = share.root / "images/a.png"
    os.utime(target, ns=(1, target.stat().st_mtime_ns + 1))
    second = data_fingerprint(source)
    assert second != first
    shutil.copytree(share.root, tmp_path / "other")  # Of the same sizes and times.
    for path in [data_set.root / "images", *(data_set.root / "images").iterdir()]:
        if path.is_symlink():
            leads = str(path.readlink())
            path.unlink()
            path.symlink_to(leads.replace("/share/", "/other/"))
    assert data_fingerprint(source) != second


@pytest.mark.parametrize("kind", [FoldersSource, ManifestSource])
def test_a_bucket_has_no_links(kind: Any) -> None:
    with pytest.raises(ValueError, match="follow_links is for folders of this machine"):
        kind(root="gs://bucket/data", follow_links=True)


def test_addresses_below_the_root_of_a_bucket_are_taken(data_set: DataSet) -> None:
    data_set.add("a")
    root = f"{SCHEME}:/{data_set.root}"
    rows = f"{root}/images/a.png,masks/a.png\n{root}/../x.png,masks/a.png\n{SCHEME}://other/x.png,masks/a.png\n"
    data_set.write("index.csv", b"image,mask\n" + rows.encode())
    found = open_source(ManifestSource(root=root)).listing()
    assert [pair.image for pair in found.pairs] == ["images/a.png"]
    assert [entry.reason for entry in found.quarantined] == [Reason.OUTSIDE_ROOT] * 2
