"""The records of a split, and those of a fold and of all others."""

from __future__ import annotations

from pathlib import Path

import pytest
import tensorflow as tf

from components.trainer.record_files import FoldFiles, count_records, read_records, read_share
from components.trainer.sharing import WHOLE, Share
from components.transform import features


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, ...]:
    """Records 0 to 11 in three files, of folds 1 to 4 in turn."""
    paths = []
    for shard in range(3):
        paths.append(str(tmp_path / f"data-{shard}.gz"))
        with tf.io.TFRecordWriter(paths[-1], features.COMPRESSION) as writer:
            for number in range(shard, 12, 3):
                feature = {
                    features.ID: tf.train.Feature(bytes_list=tf.train.BytesList(value=[str(number).encode()])),
                    features.FOLD: tf.train.Feature(int64_list=tf.train.Int64List(value=[1 + number % 4])),
                }
                writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())
    return tuple(paths)


def numbers(records: tf.data.Dataset) -> set[int]:
    parsed = [tf.train.Example.FromString(record) for record in records.as_numpy_iterator()]
    found = [int(example.features.feature[features.ID].bytes_list.value[0]) for example in parsed]
    assert len(found) == len(set(found))
    return set(found)


@pytest.mark.parametrize("interleaved", [False, True])
def test_a_fold_is_held_out_and_the_others_are_trained_on(files: tuple[str, ...], interleaved: bool) -> None:
    held_out = numbers(read_records(FoldFiles(files, 3, held_out=True), interleaved))
    assert held_out == {2, 6, 10}
    trained_on = numbers(read_records(FoldFiles(files, 3, held_out=False), interleaved))
    assert trained_on == set(range(12)) - held_out
    assert numbers(read_records(files, interleaved)) == set(range(12))


def test_only_the_records_of_the_folds_are_counted(files: tuple[str, ...]) -> None:
    assert count_records(FoldFiles(files, 1, held_out=True)) == 3
    assert count_records(FoldFiles(files, 1, held_out=False)) == 9


@pytest.mark.parametrize("workers", [2, 3, 5])
def test_with_few_files_the_workers_shares_are_all_records_once(files: tuple[str, ...], workers: int) -> None:
    shares = [numbers(read_share(files, Share(workers, index))) for index in range(workers)]
    assert sum(map(len, shares)) == 12
    assert set().union(*shares) == set(range(12))
    assert [len(share) for share in shares] == [Share(workers, index).size(12) for index in range(workers)]


def test_with_enough_files_each_worker_reads_its_own(tmp_path: Path) -> None:
    paths = []
    for number in range(16):
        paths.append(str(tmp_path / f"{number:02d}.gz"))
        with tf.io.TFRecordWriter(paths[-1], features.COMPRESSION) as writer:
            writer.write(str(number).encode())
    shares = [read_share(paths, Share(2, index)) for index in range(2)]
    for _ in range(2):
        first, other = (sorted(map(int, share.as_numpy_iterator())) for share in shares)
        assert sorted(first + other) == list(range(16)) and len(first) == len(other) == 8


def test_a_worker_whose_files_are_short_reads_them_again(tmp_path: Path) -> None:
    paths = []
    for number in range(16):
        paths.append(str(tmp_path / f"{number:02d}.gz"))
        with tf.io.TFRecordWriter(paths[-1], features.COMPRESSION) as writer:
            for record in range(number + 1):
                writer.write(f"{number}-{record}".encode())
    read = [len(list(read_share(paths, Share(2, index)))) for index in range(2)]
    assert read == [68, 68], "136 records are 68 steps of each worker, whatever the files"


def test_one_worker_reads_all(files: tuple[str, ...]) -> None:
    assert numbers(read_share(files, WHOLE)) == set(range(12))
