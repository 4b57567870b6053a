from __future__ import annotations

import os
import time

import pytest

from components.example_gen.config import FoldersSource, ManifestSource, Source
from components.example_gen.sources import data_fingerprint
from tests.support.data_set import DataSet


@pytest.fixture
def source(data_set: DataSet) -> FoldersSource:
    for name in "12":
        data_set.write(f"images/{name}.png", b"image")
        data_set.write(f"masks/{name}.png", b"mask")
    return FoldersSource(root=str(data_set.root))


def test_unchanged_data_keep_their_fingerprint(source: Source) -> None:
    assert data_fingerprint(source) == data_fingerprint(source)


def test_a_file_more_or_less_changes_it(data_set: DataSet, source: Source) -> None:
    before = data_fingerprint(source)
    added = data_set.write("images/3.png", b"image")
    assert data_fingerprint(source) != before
    added.unlink()
    assert data_fingerprint(source) == before


def test_a_file_written_anew_with_the_same_size_within_the_second_changes_it(data_set: DataSet, source: Source) -> None:
    before = data_fingerprint(source)
    file = data_set.root / "images/1.png"
    changed = file.stat().st_mtime_ns
    file.write_bytes(b"egami")
    os.utime(file, ns=(changed, changed + 1))
    assert data_fingerprint(source) != before


def test_strays_do_not_change_it(data_set: DataSet, source: Source) -> None:
    before = data_fingerprint(source)
    data_set.write("images/.DS_Store", b"x")
    assert data_fingerprint(source) == before


def test_the_manifest_itself_and_only_its_files_count(data_set: DataSet, source: Source) -> None:
    manifest = ManifestSource(root=str(data_set.root))
    data_set.write("index.csv", b"image,mask,place\nimages/1.png,masks/1.png,bonn\n")
    before = data_fingerprint(manifest)
    data_set.write("images/2.png", b"another")
    assert data_fingerprint(manifest) == before
    data_set.write("index.csv", b"image,mask,place\nimages/1.png,masks/1.png,ulm\n")
    assert data_fingerprint(manifest) != before


def test_ten_thousand_files_take_less_than_a_second_or_so(data_set: DataSet) -> None:
    for name in range(5_000):
        (data_set.root / "images").mkdir(parents=True, exist_ok=True)
        (data_set.root / "masks").mkdir(parents=True, exist_ok=True)
        (data_set.root / f"images/{name}.png").touch()
        (data_set.root / f"masks/{name}.png").touch()
    start = time.process_time()
    data_fingerprint(FoldersSource(root=str(data_set.root)))
    assert time.process_time() - start < 2  # 0.3 s on a quiet machine.
