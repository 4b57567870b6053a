"""Buckets, as `tests.support.bucket` plays one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from common.errors import UserError
from components.example_gen.config import FoldersSource, ManifestSource
from components.example_gen.files import RemoteFolder, open_folder
from components.example_gen.quarantine import Reason
from components.example_gen.rejection import RejectionError
from components.example_gen.sources import data_fingerprint
from tests.support.bucket import SCHEME
from tests.support.data_set import DataSet


@pytest.fixture
def bucket(data_set: DataSet) -> str:
    for name in ("a", "b", "c/d"):
        data_set.add(name)
    return f"{SCHEME}:/{data_set.root}"


def test_folders_of_a_bucket_are_surveyed_as_local_ones_are(data_set: DataSet, bucket: str) -> None:
    local, _ = data_set.survey()
    remote, quarantined = data_set.survey(source=FoldersSource(root=bucket))
    assert not quarantined
    assert remote.used == local.used
    assert sum(remote.used.values()) == 3


def test_a_manifest_in_a_bucket_is_surveyed(data_set: DataSet, bucket: str) -> None:
    rows = ["images/a.png,masks/a.png", "images/c/d.png,masks/c/d.png", "images/e.png,masks/a.png"]
    data_set.write("index.csv", ("image,mask\n" + "\n".join([*rows, "/x/images/b.png,masks/b.png"])).encode())
    summary, quarantined = data_set.survey(source=ManifestSource(root=bucket + "/"))
    assert sum(summary.used.values()) == 2
    assert [entry.reason for entry in quarantined] == [Reason.OUTSIDE_ROOT, Reason.MISSING_IMAGE]


def test_a_changed_object_changes_the_fingerprint(data_set: DataSet, bucket: str) -> None:
    source = FoldersSource(root=bucket)
    before = data_fingerprint(source)
    assert data_fingerprint(source) == before
    os.utime(data_set.root / "images/a.png", (1, 1))
    assert data_fingerprint(source) != before


def test_an_empty_bucket_and_an_unknown_scheme_are_errors(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no file"):
        open_folder(f"{SCHEME}:/{tmp_path}")
    with pytest.raises(UserError, match="cannot be listed"):
        open_folder("nobody://knows/this")


def test_an_object_is_not_read_beyond_the_limit(bucket: str) -> None:
    with pytest.raises(RejectionError) as caught:
        RemoteFolder(bucket).read("images/a.png", 10)
    assert caught.value.reason is Reason.TOO_LARGE
